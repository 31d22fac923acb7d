// Makes wires that have a native socket.
'use strict'

const { Link } = require('./link.js')
const { NativePort } = require('./native-port.js')
const { startRecords } = require('./records.js')
const { sessionOf } = require('../session-of.js')
const { PORT } = require('../stream/port.js')
const Wire = require('../wire.js')

/**
 * @param {object} options - of the wire
 * @param {boolean} isRef - whether it keeps the process alive
 * @returns {{wire: Wire, link: Link}}
 */
function makeNativeWire(options, isRef) {
  startRecords()
  const link = new Link(isRef)
  let wire
  try {
    wire = new Wire({ ...options, [PORT]: (stream) => new NativePort(stream, link) })
  } catch (error) {
    link.close()
    throw error
  }
  link.attach(wire, sessionOf(wire))
  return { wire, link }
}

module.exports = { makeNativeWire }
