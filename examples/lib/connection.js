// Joins a socket and a wire, so that neither outlives the other.
'use strict'

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { addAbortSignal } = require('node:stream')
const { setImmediate: nextTurn } = require('node:timers/promises')
const pwp = require('../..')

const HANDSHAKE_TIMEOUT = 25_000 // ms
const IDLE_TIMEOUT = 150_000 // ms; peers send a keep-alive every 120 s at the latest
const MAX_UNSENT = 1024 * 1024 // bytes

/**
 * @param {net.Socket} socket
 * @param {object} options
 * @param {number} options.pieces of the torrent; a peer that speaks of others is not heard
 * @param {AbortSignal} options.signal closes the connection
 * @returns {pwp.Wire} its 'handshake' comes within 25 s or the connection is closed
 */
function openWire(socket, { pieces, signal }) {
  const wire = pwp({ pieces, speed: 2 }) // speeds are averages over 2 s
  addAbortSignal(signal, socket)
  socket.setNoDelay(true)
  socket.pipe(wire).pipe(socket)
  // The reason stays in socket.errored; what counts here is the 'close' that follows.
  socket.on('error', () => {})
  socket.on('close', () => wire.destroy())
  wire.on('close', () => socket.destroy())
  wire.setKeepAlive(true)
  closeWhenSilent(socket, wire)
  return wire
}

function closeWhenSilent(socket, wire) {
  const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT)
  wire.once('handshake', () => clearTimeout(timer))
  socket.once('close', () => clearTimeout(timer))
  socket.setTimeout(IDLE_TIMEOUT, () => socket.destroy())
}

/**
 * A peer can ask faster than it reads; what is answered meanwhile would wait in memory.
 *
 * @param {net.Socket} socket
 * @param {pwp.Wire} wire
 * @returns {Promise<void>} settles when less than 1 MiB waits to be sent
 * @throws {Error} when the connection is closed
 */
async function whenRoom(socket, wire) {
  if (socket.destroyed) throw new Error('the connection is closed')
  if (wire.readableLength + socket.writableLength < MAX_UNSENT) return
  await (socket.writableNeedDrain ? once(socket, 'drain') : nextTurn())
  await whenRoom(socket, wire)
}

/** @returns {Buffer} 20 bytes: client name and version in the usual form, then random ones */
function createPeerId() {
  return Buffer.concat([Buffer.from('-PN0100-'), randomBytes(12)])
}

/**
 * @param {string} address 'host:port' or '[host]:port'
 * @returns {{host: string, port: number}}
 */
function parseAddress(address) {
  const { hostname, port } = new URL(`tcp://${address}`)
  if (!hostname || !port) throw new Error(`not an address of the form host:port: ${address}`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}

module.exports = { createPeerId, openWire, parseAddress, whenRoom }
