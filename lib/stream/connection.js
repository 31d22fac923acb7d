// What a wire knows of its connection, under the names of net.Socket: addresses, ref(), and when output has left.
'use strict'

const { finished } = require('node:stream')

const { notPiped, unflushed } = require('../errors.js')
const { sessionOf } = require('../session-of.js')

const NOTHING = Buffer.alloc(0)

/** Read from the socket of a wire; undefined where that is not known. */
const ADDRESSES = [
  'localAddress',
  'localPort',
  'localFamily',
  'remoteAddress',
  'remotePort',
  'remoteFamily'
]

/** By the name of the property; each gets the session. */
const CONNECTION = {
  transport: ({ port }) => (port.isNative ? 'native' : 'stream'),
  connecting: ({ port }) => port.socket?.connecting === true
}
for (const name of ADDRESSES) CONNECTION[name] = ({ port }) => port.socket?.[name]

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineConnection(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  /** Keeps the process alive while the connection is open, as it does from the start. */
  ref() {
    sessionOf(this).port.socket?.ref?.()
    return this
  },

  /** Lets the process end although the connection is open. */
  unref() {
    sessionOf(this).port.socket?.unref?.()
    return this
  },

  /**
   * Says when all output has left that was sent before: `process.exit()` does not wait for it.
   *
   * @returns {Promise<void>} rejected with `ERR_PWP_UNFLUSHED` if it is lost
   */
  flushed() {
    const session = sessionOf(this)
    session.flush()
    return flush(session)
  }
}

async function flush(session) {
  const { encryption, port } = session
  if (encryption !== null && encryption.agreement === null && !session.isClosed) {
    const held = session.unsent
    await settledExchange(session)
    if (encryption.agreement === null && held > 0) throw unflushed(held)
  }
  await (port.isNative ? port.socket.flushed() : flushStream(session))
}

/** What is sent before an exchange is over waits for its end. */
function settledExchange({ wire }) {
  return new Promise((resolve) => {
    const settle = () => {
      wire.removeListener('encryption', settle)
      wire.removeListener('close', settle)
      resolve()
    }
    wire.on('encryption', settle)
    wire.on('close', settle)
  })
}

/** The stream that a wire is piped into calls back in the order in which it was written to. */
async function flushStream(session) {
  const { sink } = session.port.pipe ?? {}
  if (session.unsent === 0) return
  if (sink === undefined) throw notPiped()
  await new Promise((resolve, reject) => {
    const done = (error) => (error ? reject(unflushed(session.unsent, error)) : resolve())
    if (sink.writable === false) finished(sink, { readable: false }, done)
    else sink.write(NOTHING, done)
  })
}

module.exports = { CONNECTION, defineConnection }
