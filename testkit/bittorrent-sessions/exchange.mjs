// The peer of an encrypted session: it exchanges keys with the wire, then ciphers what both send.

import { createHash } from 'node:crypto'
import { agree, publicKey, uint16, uint32, VERIFICATION } from '../encryption-peer.mjs'
import { bytesOf } from '../messages.mjs'

/** The info hash of all exchanges. */
export const INFO_HASH = bytesOf({ size: 20, fill: 99 })

const KEY_LENGTH = 96
const MAX_PAD = 512
const PUBLIC_KEY = publicKey()
const NOTHING = Buffer.alloc(0)

/**
 * One side of an exchange, which takes what the wire sends and knows what to send next. What is random in the
 * wire's part stays here: only its meaning is told.
 */
export class Exchange {
  #plan
  #tell
  #received = NOTHING
  #agreement = null
  #next
  #handshake

  /** Whether all that follows is payload. */
  isDone = false
  /** Whether the exchange is over without a result: what the wire still sends has no meaning. */
  isVoid = false
  #ciphers = null

  /**
   * @param {object} plan of the session
   * @param {Buffer} handshake of the peer, to send with step 3 where the plan says so
   * @param {(text: string) => void} tell receives the meaning of what the wire sends
   */
  constructor(plan, handshake, tell) {
    this.#plan = plan
    this.#tell = tell
    this.#handshake = handshake
    this.#next = plan.initiates ? this.#readKeyOfResponder : this.#readKeyOfInitiator
  }

  /** Bytes to send before the wire has sent any. */
  begin() {
    const { initiates, early, keyPad } = this.#plan
    return initiates || early ? Buffer.concat([PUBLIC_KEY, bytesOf(keyPad)]) : NOTHING
  }

  /** @param {Uint8Array} bytes of the wire, of which payload remains */
  take(bytes) {
    if (this.isVoid) return NOTHING
    if (this.isDone) return this.#ciphers ? this.#ciphers.input(bytes) : bytes
    this.#received = Buffer.concat([this.#received, bytes])
    return NOTHING
  }

  /** @returns {Buffer | null} bytes to send next; null if the wire has to send more first */
  step() {
    return this.isDone || this.isVoid ? null : this.#next()
  }

  /** The payload that came with the last step of the wire. */
  rest() {
    const rest = this.#received
    this.#received = NOTHING
    return this.#ciphers ? this.#ciphers.input(rest) : rest
  }

  /** What to send for this payload. */
  encode(bytes) {
    return this.#ciphers ? this.#ciphers.output(bytes) : bytes
  }

  /** The other side has answered in plaintext: all so far was a key and a pad. */
  giveUp() {
    const { length } = this.#received
    this.#tell(`a key and a pad: ${length >= KEY_LENGTH && length <= KEY_LENGTH + MAX_PAD}`)
    this.#received = NOTHING
    this.isDone = true
  }

  #readKeyOfInitiator() {
    if (this.#received.length < KEY_LENGTH) return null
    this.#agree()
    this.#next = this.#readNames
    return this.#plan.early ? NOTHING : Buffer.concat([PUBLIC_KEY, bytesOf(this.#plan.keyPad)])
  }

  #readNames() {
    const { names, a } = this.#agreement
    const at = this.#find(names.subarray(0, 20))
    // What is sealed has at least 16 bytes.
    if (at < 0 || this.#received.length < at + 56) return null
    this.#received = this.#received.subarray(at + 20)
    const isKnown = this.#skip(20).equals(names.subarray(20))
    const sealed = a(this.#skip(14))
    a(this.#skip(sealed.readUInt16BE(12)))
    const ahead = a(this.#skip(2)).readUInt16BE()
    this.#tell(`step 3: torrent ${isKnown}, ${describe(sealed)}, ${ahead} bytes ahead`)
    return this.#finishAsResponder()
  }

  #finishAsResponder() {
    const { select, verification, methodPad } = this.#plan
    const { a, b } = this.#agreement
    const pad = bytesOf(methodPad)
    const begin = verification ? VERIFICATION : Buffer.alloc(8, 1)
    const answer = b(Buffer.concat([begin, uint32(select), uint16(pad.length), pad]))
    if (!verification || (select !== 1 && select !== 2)) this.isVoid = true
    else this.#finish(select, { input: a, output: b })
    return answer
  }

  #readKeyOfResponder() {
    if (this.#received.length < KEY_LENGTH) return null
    this.#agree()
    const { provide, verification, methodPad, ahead } = this.#plan
    const { names, a } = this.#agreement
    const pad = bytesOf(methodPad)
    const begin = verification ? VERIFICATION : Buffer.alloc(8, 1)
    const first = ahead ? this.#handshake : NOTHING
    this.#next = this.#readSelection
    if (this.#plan.loses) {
      this.isVoid = true
      return bytesOf({ size: 700, fill: 3 })
    }
    return Buffer.concat([
      names,
      a(Buffer.concat([begin, uint32(provide), uint16(pad.length), pad])),
      a(Buffer.concat([uint16(first.length), first]))
    ])
  }

  #readSelection() {
    this.#agreement.sealed ??= this.#agreement.b(VERIFICATION)
    const { b, a, sealed } = this.#agreement
    const at = this.#find(sealed)
    if (at < 0 || this.#received.length < at + 14) return null
    this.#received = this.#received.subarray(at + 8)
    const selection = b(this.#skip(6))
    b(this.#skip(selection.readUInt16BE(4)))
    const select = selection.readUInt32BE()
    this.#tell(`step 4: method ${select}, pad ${selection.readUInt16BE(4) <= MAX_PAD}`)
    this.#finish(select, { input: b, output: a })
    return NOTHING
  }

  #agree() {
    this.#agreement = agree(Buffer.from(this.#skip(KEY_LENGTH)), INFO_HASH)
  }

  /** Where a part begins after a pad that is not too long. */
  #find(part) {
    const at = this.#received.indexOf(part)
    if (at > MAX_PAD) this.#tell(`a pad of ${at} bytes`)
    return at
  }

  #skip(length) {
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return bytes
  }

  #finish(method, ciphers) {
    this.isDone = true
    if (method === 2) this.#ciphers = ciphers
  }
}

const describe = (sealed) =>
  `zeros ${sealed.subarray(0, 8).equals(VERIFICATION)}, offers ${sealed.readUInt32BE(8)}, ` +
  `pad ${sealed.readUInt16BE(12) <= MAX_PAD}`

/** What 'crypto-infohash' tells of the torrent of all exchanges. */
export const TORRENT_NAME = createHash('sha1').update('req2').update(INFO_HASH).digest('hex')
