// `attach()`: a wire for a socket that is open already.
//
// Node documents no way to take the descriptor out of a net.Socket: `_handle.fd` is of its inside, does not exist
// on Windows, and the handle would still close it. So the wire is piped, and says so in `wire.transport`.
'use strict'

const { toPeerAddress } = require('./addresses.js')
const { sessionOf } = require('../session-of.js')
const Wire = require('../wire.js')

/**
 * @param {import('node:net').Socket} socket - or another Duplex; it belongs to the wire from now on
 * @param {object} [options] - of the wire
 * @returns {Wire} with which both end
 * @throws {TypeError | RangeError} when an argument is wrong; the socket is left alone
 */
function attach(socket, options) {
  for (const method of ['on', 'once', 'prependListener', 'pipe', 'write', 'end', 'destroy']) {
    if (typeof socket?.[method] !== 'function') throw new TypeError('socket must be a Duplex')
  }
  const wire = new Wire(options)
  sessionOf(wire).port.socket = socket
  showAddress(wire, socket)
  if (socket.connecting === true) {
    socket.once('connect', () => {
      showAddress(wire, socket)
      wire.emit('connect')
    })
  }
  socket.on('close', () => wire.destroy())
  wire.on('close', () => {
    if (wire.error !== null || typeof socket.destroySoon !== 'function') socket.destroy()
    else socket.destroySoon()
  })
  socket.pipe(wire).pipe(socket)
  // Before the listener of the pipe, which would end the wire without the error.
  socket.prependListener('error', (error) => wire.destroy(error))
  return wire
}

function showAddress(wire, { remoteAddress, remotePort }) {
  if (typeof remoteAddress !== 'string') return
  wire.peerAddress = toPeerAddress({ address: remoteAddress, port: remotePort })
}

module.exports = { attach }
