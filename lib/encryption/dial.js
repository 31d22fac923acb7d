// `encryption.dial()`: connects with encryption, and once more without it if the peer knows none.
'use strict'

const { onAbort } = require('../session/signals.js')
const errors = require('./errors.js')
const { toSettings, wrap } = require('./wrap.js')

/**
 * Connects to a peer. A peer that does not encrypt closes a connection that begins with a key, so in the mode
 * 'prefer' another connection follows.
 *
 * @param {(attempt: {encrypted: boolean}) => import('node:stream').Duplex | Promise<object>} dialFunction -
 *   opens a new connection each time
 * @param {object} options - those of `wrap`, without `role`
 * @returns {Promise<import('./encrypted-stream.js').EncryptedStream>} when it is settled what is encrypted
 * @throws {TypeError | RangeError} when an argument is wrong
 */
function dial(dialFunction, options) {
  if (typeof dialFunction !== 'function') throw new TypeError('dialFunction must be a function')
  const own = { ...options, role: 'initiator' }
  const { isPlain } = toSettings(own)
  return isPlain ? connect(dialFunction, { ...own, mode: 'off' }) : connectTwice(dialFunction, own)
}

async function connectTwice(dialFunction, options) {
  try {
    return await connect(dialFunction, options)
  } catch (error) {
    if (options.mode === 'require' || !isRefusal(error)) throw error
    return connect(dialFunction, { ...options, mode: 'off' })
  }
}

/**
 * Whether a peer may be one that knows no encryption: it has not sent a key. After a key, and when the
 * connection could not be made, a plain one is not what is missing.
 */
function isRefusal({ code, cause }) {
  const isTimeout = code === 'ERR_PWP_ENCRYPTION_TIMEOUT'
  return (isTimeout ? cause?.code : code) === 'ERR_PWP_ENCRYPTION_REFUSED'
}

async function connect(dialFunction, options) {
  const { signal } = options
  if (signal?.aborted) throw errors.aborted(signal)
  const stream = await abortable(dialFunction({ encrypted: options.mode !== 'off' }), signal)
  return settled(wrap(stream, options), stream, signal)
}

/** Does not wait for a connection that nobody wants any more, and closes it if it comes. */
function abortable(connecting, signal) {
  if (signal === undefined) return connecting
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(errors.aborted(signal)))
    Promise.resolve(connecting).then(
      (stream) => {
        stopListening()
        if (signal.aborted) discard(stream)
        resolve(stream)
      },
      (error) => {
        stopListening()
        reject(error)
      }
    )
  })
}

function discard(stream) {
  stream?.on?.('error', () => {})
  stream?.destroy?.()
}

function settled(encrypted, stream, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      encrypted.removeListener('encryption', onencryption)
      encrypted.removeListener('error', onerror)
      encrypted.removeListener('close', onclose)
      stream.removeListener('connect', onconnect)
      stopListening?.()
    }
    const finish = (act, value) => {
      stop()
      act(value)
    }
    const onerror = (error) => finish(reject, error)
    const onclose = () => finish(reject, errors.destroyed())
    const onconnect = () => finish(resolve, encrypted)
    // A plain stream is settled before it is connected.
    const onencryption = () => (stream.connecting ? stream.once('connect', onconnect) : onconnect())
    const abort = () => encrypted.destroy(errors.aborted(signal))
    const stopListening = signal === undefined ? null : onAbort(signal, abort)
    encrypted.once('encryption', onencryption)
    encrypted.once('error', onerror)
    encrypted.once('close', onclose)
  })
}

module.exports = { dial }
