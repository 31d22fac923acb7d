// `pwp.MetadataFetcher`: metadata from several wires.
'use strict'

const { EventEmitter } = require('node:events')

const { findSession } = require('../../session-of.js')

/** Loaded with the first fetcher: the class is a part of the package, and most programs do not use it. */
const parts = {
  get errors() {
    return require('./errors.js')
  },
  get fetch() {
    return require('./fetch.js')
  },
  get options() {
    return require('./options.js')
  }
}

/** Emits `'drop'` for each wire that is not used any more. */
class MetadataFetcher extends EventEmitter {
  #fetch

  /**
   * @param {Uint8Array | string | (Uint8Array | string)[]} infoHash - 20 or 32 bytes, or 40 or 64 hex digits; of an
   *   array all must fit
   * @param {{maxSize?: number, requestTimeout?: number, resume?: object}} [options] - see docs/api.md
   */
  constructor(infoHash, options) {
    super()
    const { toFetcherSettings, toHashes } = parts.options
    const { Fetch } = parts.fetch
    const hashes = toHashes('infoHash', infoHash)
    this.#fetch = new Fetch(() => hashes, toFetcherSettings(options), {
      onDrop: (wire, error) => this.emit('drop', wire, error)
    })
  }

  /**
   * Uses a wire, before or after its handshakes. It is not destroyed, whatever its peer does.
   *
   * @param {object} wire
   * @returns {this}
   * @throws {Error} `ERR_PWP_METADATA_IN_USE`
   */
  add(wire) {
    this.#fetch.add(toSession(wire))
    return this
  }

  /**
   * Asks this wire for nothing more. What it has given stays.
   *
   * @param {object} wire
   * @returns {this}
   */
  remove(wire) {
    this.#fetch.remove(toSession(wire))
    return this
  }

  /**
   * @param {{signal?: AbortSignal, timeout?: number}} [options]
   * @returns {Promise<Buffer>} the info dictionary
   */
  fetch(options) {
    return this.#fetch.fetch(parts.options.toFetchSettings(options))
  }

  /** @returns {object | null} what was received so far, for the option `resume` */
  state() {
    return this.#fetch.state
  }

  /** Gives everything back; those who wait get an error. */
  destroy() {
    this.#fetch.fail(parts.errors.destroyed())
  }
}

function toSession(wire) {
  const session = findSession(wire)
  if (session === null) throw new TypeError('wire must be a Wire of this package')
  return session
}

module.exports = { MetadataFetcher }
