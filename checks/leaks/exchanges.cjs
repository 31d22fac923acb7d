// The work of checks/leaks.mjs with encryption: key exchanges that end well, fail, or are destroyed in the
// middle, of wires and of streams.
'use strict'

const { once } = require('node:events')
const { duplexPair } = require('node:stream')

const INFO_HASH = Buffer.alloc(20, 7)
const OTHER_HASH = Buffer.alloc(20, 8)
const PEER_ID = Buffer.alloc(20, 1)
/** More than a key and a pad, and no exchange. */
const NOISE = Buffer.alloc(1000, 'noise')

class Exchanges {
  #pwp
  #policy

  /** @param {Function} pwp - the package */
  constructor(pwp) {
    this.#pwp = pwp
    // What failed counts for its address for as long.
    this.#policy = new pwp.encryption.Policy({ penalty: 50 })
  }

  /** Runs one of the kinds; rejects if it ended otherwise than it should. */
  run(index) {
    const kinds = [
      this.#agree,
      this.#fail,
      this.#stopWires,
      this.#agreeAsStreams,
      this.#failAsStreams,
      this.#stopStreams,
      this.#dial,
      this.#dialAgain
    ]
    return kinds[index % kinds.length].call(this, index)
  }

  #responder(index) {
    const address = `10.0.${(index >> 8) & 255}.${index & 255}`
    return { role: 'responder', mode: 'require', policy: this.#policy, address }
  }

  #makeWires(index, infoHashes) {
    const initiator = this.#pwp({ encryption: { role: 'initiator', mode: 'require' } })
    const responder = this.#pwp({ infoHashes, encryption: this.#responder(index) })
    initiator.handshake(INFO_HASH, PEER_ID)
    return [initiator, responder]
  }

  async #agree(index) {
    const wires = this.#makeWires(index, INFO_HASH)
    let handshakes = 0
    for (const wire of wires) wire.on('handshake', () => handshakes++)
    pass(wires, 1)
    wires[1].handshake(INFO_HASH, PEER_ID)
    pass(wires, 2)
    expect(handshakes, 2)
    expect(wires[0].encryption.method, 'rc4')
    for (const wire of wires) wire.destroy()
  }

  async #fail(index) {
    const wires = this.#makeWires(index, OTHER_HASH)
    pass(wires, 2)
    expect(wires[1].error?.code, 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT')
    wires[0].destroy()
  }

  /** The responder has both keys, and waits for what the initiator sends next. */
  async #stopWires(index) {
    const [initiator, responder] = this.#makeWires(index, INFO_HASH)
    responder.write(initiator.read())
    expect(responder.read().length >= 96, true)
    expect(responder.encryption, null)
    for (const wire of [initiator, responder]) wire.destroy()
  }

  #wrapBoth(index, infoHashes) {
    const { wrap } = this.#pwp.encryption
    const [left, right] = duplexPair()
    const initiator = wrap(left, { role: 'initiator', infoHash: INFO_HASH, mode: 'require' })
    const responder = wrap(right, { ...this.#responder(index), infoHashes })
    return [initiator, responder]
  }

  async #agreeAsStreams(index) {
    const streams = this.#wrapBoth(index, INFO_HASH)
    streams[0].write(NOISE)
    const [chunk] = await once(streams[1], 'data')
    expect(NOISE.equals(chunk), true)
    expect(streams[1].encryption.method, 'rc4')
    await destroyed(streams)
  }

  async #failAsStreams(index) {
    const [left, right] = duplexPair()
    const options = { ...this.#responder(index), infoHashes: INFO_HASH }
    const stream = this.#pwp.encryption.wrap(right, options)
    left.write(NOISE)
    await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.error.code, 'ERR_PWP_ENCRYPTION_SYNC')
    left.destroy()
  }

  /** The torrent is looked up for ever. */
  async #stopStreams(index) {
    let streams = null
    await new Promise((resolve) => {
      const lookUp = () => {
        resolve()
        return new Promise(() => {})
      }
      streams = this.#wrapBoth(index, lookUp)
      streams[0].write(NOISE)
    })
    expect(streams[1].encryption, null)
    await destroyed(streams)
  }

  async #dial(index) {
    let peer = null
    const connect = () => {
      const [left, right] = duplexPair()
      const options = { ...this.#responder(index), infoHashes: INFO_HASH }
      peer = this.#pwp.encryption.wrap(right, options)
      return left
    }
    const stream = await this.#pwp.encryption.dial(connect, { infoHash: INFO_HASH })
    expect(stream.encryption.method, 'rc4')
    await destroyed([stream, peer])
  }

  async #dialAgain() {
    const peers = []
    const connect = ({ encrypted }) => {
      const [left, right] = duplexPair()
      peers.push(right)
      if (encrypted) right.once('data', () => right.end())
      return left
    }
    const stream = await this.#pwp.encryption.dial(connect, { infoHash: INFO_HASH })
    expect(stream.encryption.method, 'none')
    expect(peers.length, 2)
    await destroyed([stream, ...peers])
  }
}

/** Hands on what the wires have to send. */
function pass([initiator, responder], times) {
  for (let n = 0; n < times; n++) {
    for (const [from, to] of [
      [initiator, responder],
      [responder, initiator]
    ]) {
      for (let chunk = from.read(); chunk !== null; chunk = from.read()) to.write(chunk)
    }
  }
}

function destroyed(streams) {
  const closed = streams.map((stream) => new Promise((resolve) => stream.once('close', resolve)))
  for (const stream of streams) stream.destroy()
  return Promise.all(closed)
}

function expect(actual, expected) {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`)
}

module.exports = { Exchanges }
