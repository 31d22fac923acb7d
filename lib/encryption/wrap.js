// `encryption.wrap()`: checks the options of an encrypted stream and makes it.
'use strict'

const { checkDuration, checkOneOf, checkSignal, toBytes, toOwnId } = require('../arguments.js')
const { copyOf } = require('../own-memory.js')
const { EncryptedStream } = require('./encrypted-stream.js')
const { MAX_PAYLOAD } = require('./native.js')
const { Policy, commonPolicy } = require('./policy.js')
const { toLookup } = require('./torrents.js')

const MODES = ['off', 'accept', 'prefer', 'require']
const METHODS = ['rc4', 'plaintext']

/** What is written first becomes the payload of the exchange. */
const FIRST_WRITE = 'first-write'

/**
 * Encrypts what is written to the result and decrypts what is read from it.
 *
 * @param {import('node:stream').Duplex} stream - to the peer; belongs to the result from now on
 * @param {object} options - see docs/api.md
 * @returns {EncryptedStream}
 * @throws {TypeError | RangeError} when an argument is wrong; nothing has happened then
 */
function wrap(stream, options) {
  checkStream(stream)
  return new EncryptedStream(stream, toSettings(options))
}

function checkStream(stream) {
  for (const method of [
    'on',
    'once',
    'removeListener',
    'write',
    'end',
    'pause',
    'resume',
    'destroy'
  ]) {
    if (typeof stream?.[method] !== 'function') throw new TypeError('stream must be a Duplex')
  }
  if (stream.readableEncoding) throw new TypeError('stream must not have an encoding')
}

const toNeededTorrent = (infoHash) => toOwnId('infoHash', infoHash, 'hex')

/**
 * @param {unknown} options
 * @param {(infoHash: unknown) => Buffer | null} [toTorrent] - checks that of an initiator
 * @returns {object} a value for each
 */
function toSettings(options, toTorrent = toNeededTorrent) {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('options must be an object')
  }
  const { role, mode = 'prefer', address, signal, policy = commonPolicy() } = options
  checkOneOf('role', role, ['initiator', 'responder'])
  checkOneOf('mode', mode, MODES)
  if (!(policy instanceof Policy)) throw new TypeError('policy must be an encryption.Policy')
  if (address !== undefined && typeof address !== 'string') {
    throw new TypeError('address must be a string')
  }
  if (signal !== undefined) checkSignal('signal', signal)
  const { timeout = policy.timeout } = options
  checkDuration('timeout', timeout)
  const isInitiator = role === 'initiator'
  // Who only accepts encryption does not begin with it.
  const isPlain = mode === 'off' || (isInitiator && mode === 'accept')
  const settings = { address, isInitiator, isPlain, mode, policy, signal, timeout }
  settings.methods = toMethods(mode, options.methods)
  settings.payload = isInitiator ? toPayload(options.initialPayload) : null
  if (isPlain) {
    // Without an exchange it is a write like any other.
    if (settings.payload === FIRST_WRITE) settings.payload = null
    return settings
  }
  if (isInitiator) settings.infoHash = toTorrent(options.infoHash)
  else settings.lookup = toLookup('infoHashes', options.infoHashes)
  return settings
}

/** Who requires encryption means the payload, too: libtorrent, when forced, offers and accepts RC4 alone. */
function toMethods(mode, methods) {
  if (methods === undefined) return mode === 'require' ? ['rc4'] : METHODS
  if (!Array.isArray(methods)) throw new TypeError('methods must be an array')
  const own = [...methods]
  for (const method of own) checkOneOf('methods', method, METHODS)
  if (own.length === 0 || new Set(own).size !== own.length) {
    throw new RangeError('methods must name at least one method, and each once')
  }
  return own
}

function toPayload(payload) {
  if (payload === undefined || payload === null) return null
  if (payload === FIRST_WRITE) return payload
  const bytes = toBytes('initialPayload', payload)
  if (bytes.length > MAX_PAYLOAD) {
    throw new RangeError(`initialPayload must have at most ${MAX_PAYLOAD} bytes`)
  }
  return copyOf(bytes)
}

module.exports = { toSettings, wrap }
