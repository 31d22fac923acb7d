// `promises`: native sockets for who awaits them. A wire itself is never thenable.
'use strict'

const { connect } = require('./connect.js')
const { createServer } = require('./server.js')
const { aborted } = require('../encryption/errors.js')
const { closed } = require('../errors.js')

/**
 * @param {object} options - as of connect()
 * @returns {Promise<import('../wire.js')>} a wire that is connected
 * @throws {TypeError | RangeError} at once, when an option is out of range
 */
function connectAsync(options) {
  const wire = connect(options)
  return new Promise((resolve, reject) => {
    const onconnect = () => {
      wire.removeListener('close', onclose)
      resolve(wire)
    }
    const onclose = () => {
      wire.removeListener('connect', onconnect)
      reject(wire.error ?? closed())
    }
    wire.once('connect', onconnect)
    wire.once('close', onclose)
  })
}

/**
 * @param {object} options - of createServer() and of listen()
 * @param {(wire: import('../wire.js'), infoHash: Buffer | null) => void} [listener] - of `'wire'`
 * @returns {Promise<import('./server.js').Server>} a server that listens
 * @throws {TypeError | RangeError} at once, when an option is out of range
 */
function listen(options, listener) {
  const server = createServer(options, listener).listen(options ?? {})
  return new Promise((resolve, reject) => {
    const settle = (step, value) => {
      server.removeListener('listening', onlistening)
      server.removeListener('error', onerror)
      server.removeListener('close', onclose)
      step(value)
    }
    const onlistening = () => settle(resolve, server)
    const onerror = (error) => settle(reject, error)
    // Only its signal, or a listener of 'wire', can have closed it.
    const onclose = () =>
      settle(reject, options?.signal?.aborted ? aborted(options.signal) : closed())
    server.once('listening', onlistening)
    server.once('error', onerror)
    server.once('close', onclose)
  })
}

module.exports = { promises: { connect: connectAsync, listen } }
