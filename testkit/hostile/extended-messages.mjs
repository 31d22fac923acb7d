// Draws messages of the extension protocol that a peer might send: right, wrong and damaged ones.
import { encodeBencode, encodeEntries } from '../bencode.mjs'
import { encodeMessage } from '../messages.mjs'

/** Names that peers announce, and that users may have extensions of. */
export const EXTENSION_NAMES = ['ut_metadata', 'ut_pex', 'x_chat', 'é', 'n'.repeat(64)]

/** The flag of the extension protocol in the sixth reserved byte. */
export const EXTENDED_FLAG = 0x10

/**
 * @param {import('../random.mjs').Random} random
 * @returns {Buffer} a message
 */
export const drawExtended = (random) =>
  encodeMessage(
    random.chance(0.5)
      ? { type: 'extended', id: 0, payload: drawHandshake(random) }
      : { type: 'extended', id: drawId(random), payload: drawPayload(random) }
  )

/** Usually one that a wire has given. */
const drawId = (random) =>
  random.chance(0.8) ? random.between(1, 4) : random.pick([5, 7, 128, 255])

const drawPayload = (random) =>
  random.pick([
    Buffer.alloc(0),
    encodeBencode({ text: 'hi' }),
    Buffer.alloc(random.below(60), 0x69)
  ])

const drawHandshake = (random) => {
  const bytes = encodeEntries(drawEntries(random))
  if (random.chance(0.7)) return bytes
  // Rarely: they are long, and may be written byte by byte.
  return random.chance(0.01) ? drawLong(random) : random.pick(DAMAGES)(bytes, random)
}

const drawEntries = (random) => {
  const keys = Object.keys(VALUES).filter(() => random.chance(0.25))
  if (random.chance(0.8)) keys.push('m')
  if (random.chance(0.1)) keys.push('m', 'v', 'unknown')
  const entries = keys.map((key) => [key, random.pick(VALUES[key])])
  return entries.map(([key, value]) => [key, value === DRAWN ? drawIds(random) : value])
}

const drawIds = (random) => {
  const names = [...EXTENSION_NAMES, ...ODD_NAMES].filter(() => random.chance(0.4))
  return Object.fromEntries(names.map((name) => [name, random.pick(IDS)]))
}

const ODD_NAMES = ['', 'n'.repeat(65), '__proto__', 'unused']
const IDS = [1, 2, 3, 3, 20, 255, 0, 0, -1, 256, '1', []]

/** Stands for a random value. */
const DRAWN = Symbol('drawn')

/** Right and wrong values by key. */
const VALUES = {
  m: [DRAWN, DRAWN, DRAWN, DRAWN, {}, [], 1],
  v: ['Client 1.0', '', 'v'.repeat(300), '\u{1f60a}'.repeat(257), Buffer.of(0x41, 0xff), 1],
  p: [0, 6881, 65_535, 65_536, -1, 'p'],
  yourip: [Buffer.of(1, 2, 3, 4), Buffer.alloc(16, 0x20), Buffer.alloc(16), Buffer.alloc(5), 1],
  ipv4: [Buffer.of(10, 0, 0, 1), Buffer.alloc(16, 1)],
  ipv6: [
    Buffer.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    Buffer.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4),
    Buffer.of(1, 2, 3, 4)
  ],
  reqq: [0, 250, 2 ** 32 - 1, 2 ** 32, -1],
  metadata_size: [0, 31_235, 2 ** 32, []],
  e: [0, 1, 7, '1'],
  upload_only: [0, 1, {}],
  complete_ago: [-1, 0, 12, 2 ** 53 + 2, 'x'],
  unknown: [7, 2n ** 60n, -(2n ** 63n) + 1n, 'text', [1, [2]], { a: { b: 'c' } }],
  other: [1]
}

const nest = (depth) => Buffer.from('d1:a' + 'l'.repeat(depth) + 'e'.repeat(depth + 1))

/** What is no handshake, or barely one. */
const DAMAGES = [
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes) => Buffer.concat([bytes, Buffer.from('behind')]),
  (bytes, random) => {
    bytes[random.below(bytes.length)] ^= 1 << random.below(8)
    return bytes
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(ODD)), bytes.subarray(at)])
  },
  () => Buffer.alloc(0),
  () => encodeBencode([{}]),
  () => nest(99),
  () => nest(100)
]

/** A dictionary of a list with so many values: at most 9,997 are decoded. */
const drawLong = (random) => Buffer.from(`d1:al${'i0e'.repeat(random.pick([9997, 9998]))}ee`)

const ODD = ['e', 'd', 'i-0e', 'i007e', 'i9223372036854775807e', 'i-9223372036854775808e', '0000:']
