// Makes the class of an extension with messages of one's own: a name and a codec.
'use strict'

const { EventEmitter } = require('node:events')

const { checkCallback, toBytes } = require('../arguments.js')
const bencode = require('../bencode/encode.js')
const { decode } = require('../bencode/decode.js')

/** The usual codec. */
const BENCODE = {
  encode: bencode.encode,
  decode(bytes) {
    const value = decode(bytes)
    if (value === undefined) throw new Error('message is not bencoded')
    return value
  }
}

/**
 * @param {string} name - of the extension, as both sides announce it
 * @param {{encode?: (value: any) => Uint8Array, decode?: (bytes: Buffer) => any}} [codec] - default: bencode
 * @returns {Function} a class for `wire.use()`
 */
function makeExtension(name, codec) {
  if (typeof name !== 'string' || name === '')
    throw new TypeError('name must be a string that is not empty')
  // Read one by one, as the codec may be an instance of a class.
  const encode = codec?.encode ?? BENCODE.encode
  const read = codec?.decode ?? BENCODE.decode
  checkCallback('codec.encode', encode)
  checkCallback('codec.decode', read)

  /** Emits `'ready'` once the peer has announced the extension, `'message'` and `'malformed'`. */
  class MessageExtension extends EventEmitter {
    #wire
    #hasBeenReady = false

    constructor(wire) {
      super()
      this.#wire = wire
    }

    /** Whether the peer has the extension: what is sent before is refused. */
    get isReady() {
      return this.#wire.peerExtendedMapping?.[name] !== undefined
    }

    /** Sends a message; throws if the peer does not have the extension. */
    send(value) {
      this.#wire.extended(name, toBytes('encoded message', encode.call(codec, value)))
    }

    /** For each handshake of the peer, as it may send several. */
    onExtendedHandshake() {
      if (this.#hasBeenReady) return
      this.#hasBeenReady = true
      this.emit('ready')
    }

    onMessage(bytes) {
      let value
      try {
        value = read.call(codec, bytes)
      } catch (error) {
        // A peer may send anything, and must not end the process with it.
        this.emit('malformed', bytes, error)
        return
      }
      this.emit('message', value)
    }
  }
  Object.defineProperty(MessageExtension.prototype, 'name', { value: name })
  return MessageExtension
}

module.exports = { makeExtension }
