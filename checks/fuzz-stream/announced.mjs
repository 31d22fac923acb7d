// What a peer has announced, over all its extended handshakes: a second, simple implementation.
import { decodeBencode, textOf } from '../../testkit/bencode.mjs'

const MAX_NAMES = 255
const MAX_NAME_LENGTH = 64
const MAX_CLIENT_LENGTH = 256

export class Announced {
  /** Ids by name. */
  mapping = Object.create(null)
  /** `peerExtendedHandshake`; null before the first. */
  handshake = null
  #known = {}

  /** @returns {boolean} whether the bytes are an extended handshake, which then counts */
  apply(bytes) {
    const message = decodeBencode(bytes)
    if (!(message instanceof Map)) return false
    for (const [name, id] of idsIn(message)) {
      if (id === 0) delete this.mapping[name]
      else this.mapping[name] = id
    }
    for (const [key, read] of Object.entries(FIELDS)) {
      const value = message.has(key) ? read(message.get(key)) : undefined
      if (value !== undefined) this.#known[key] = value
    }
    const others = [...message].filter(([key]) => key !== 'm' && !Object.hasOwn(FIELDS, key))
    const fields = others.map(([key, value]) => [
      Buffer.from(key, 'latin1').toString(),
      toPlain(value)
    ])
    this.handshake = withoutPrototype([
      ...fields,
      ...Object.entries(this.#known),
      ['m', withoutPrototype(Object.entries(this.mapping))]
    ])
    return true
  }
}

/** @returns {boolean} whether a wire that reads extended handshakes takes these bytes for one */
export const isHandshake = (bytes) => new Announced().apply(bytes)

function idsIn(message) {
  const m = message.get('m')
  if (!(m instanceof Map)) return []
  const ids = new Map()
  for (const [key, id] of m) {
    const name = textOf(key)
    const isName = name !== null && key.length > 0 && key.length <= MAX_NAME_LENGTH
    if (isName && isWithin(id, 0, 255) && ids.size < MAX_NAMES) ids.set(name, Number(id))
  }
  return ids
}

const isWithin = (value, least, most) =>
  typeof value === 'bigint' && value >= least && value <= most

const number = (least, most) => (value) =>
  isWithin(value, least, most) ? Number(value) : undefined
const flag = (value) => (typeof value === 'bigint' ? value !== 0n : undefined)
const client = (value) =>
  Buffer.isBuffer(value) ? [...value.toString()].slice(0, MAX_CLIENT_LENGTH).join('') : undefined

const toIpv4 = (value) =>
  Buffer.isBuffer(value) && value.length === 4 ? value.join('.') : undefined

function toIpv6(value) {
  if (!Buffer.isBuffer(value) || value.length !== 16) return undefined
  if (value.subarray(0, 12).toString('hex') === `${'0'.repeat(20)}ffff`)
    return `::ffff:${value.subarray(12).join('.')}`
  const groups = value.toString('hex').match(/.{4}/g)
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

const FIELDS = {
  v: client,
  p: number(0, 65_535),
  yourip: (value) => toIpv4(value) ?? toIpv6(value),
  ipv4: toIpv4,
  ipv6: toIpv6,
  reqq: number(0, 2 ** 32 - 1),
  metadata_size: number(0, 2 ** 32 - 1),
  e: flag,
  upload_only: flag,
  complete_ago: number(-(2 ** 63), 2 ** 63)
}

/** What `decodeBencode` returns, as a wire gives it to extensions. */
function toPlain(value) {
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
  if (!(value instanceof Map)) return value
  const entries = [...value].map(([key, inner]) => [Buffer.from(key, 'latin1').toString(), inner])
  return withoutPrototype(entries.map(([key, inner]) => [key, toPlain(inner)]))
}

/** Not by assignment: a key may be `__proto__`. */
const withoutPrototype = (entries) => Object.setPrototypeOf(Object.fromEntries(entries), null)
