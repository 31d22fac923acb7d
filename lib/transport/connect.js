// `connect()`: a wire with a native socket to a peer.
'use strict'

const dns = require('node:dns')
const net = require('node:net')

const { toPeerAddress, withNumericScope } = require('./addresses.js')
const { connectTimedOut } = require('./errors.js')
const { makeNativeWire } = require('./native-wire.js')
const { native } = require('./native.js')
const { toConnectSettings } = require('./options.js')
const { aborted } = require('../encryption/errors.js')
const { Deadline } = require('../session/deadlines.js')
const { onAbort } = require('../session/signals.js')

/**
 * Connects to a peer by a native socket. The wire may be used at once: what it sends leaves when it is connected.
 *
 * @param {object} options - of the socket and of the wire, see docs/transport.md
 * @returns {import('../wire.js')}
 * @throws {TypeError | RangeError} when an option is out of range
 */
function connect(options) {
  const settings = toConnectSettings(options)
  const { wire, link } = makeNativeWire(options, settings.ref)
  const { host, port, signal } = settings
  wire.peerAddress = toPeerAddress({ address: host, port })
  if (signal !== undefined) stopWith(signal, wire)
  if (signal?.aborted) return wire
  if (net.isIP(host) === 0) lookUp(settings, link)
  else open([host], settings, link)
  return wire
}

/** Ends the wire when the signal is aborted before it is connected. */
function stopWith(signal, wire) {
  const abort = () => wire.destroy(aborted(signal))
  if (signal.aborted) return process.nextTick(abort)
  const stopListening = onAbort(signal, abort)
  const stop = () => {
    wire.removeListener('connect', stop)
    wire.removeListener('close', stop)
    stopListening()
  }
  wire.once('connect', stop)
  wire.once('close', stop)
}

/** The time limit counts from here on. Only the first answer of a lookup counts. */
function lookUp(settings, link) {
  const { connectTimeout, family, host, lookup = dns.lookup } = settings
  const fail = (error) => link.giveUp(error)
  let isAnswered = false
  const start = performance.now()
  const deadline =
    connectTimeout > 0 ? new Deadline(connectTimeout, () => fail(connectTimedOut())) : null
  lookup(host, { all: true, family }, (error, addresses) => {
    deadline?.stop()
    if (isAnswered || !link.isWanted) return
    isAnswered = true
    if (error) return fail(error)
    const list = Array.isArray(addresses) ? addresses : [{ address: addresses }]
    const known = inTurn(list.filter((one) => net.isIP(one?.address) !== 0))
    if (known.length === 0) return fail(notFound(host))
    const left = connectTimeout - Math.trunc(performance.now() - start)
    const limit = connectTimeout > 0 ? Math.max(left, 1) : 0
    open(known, { ...settings, connectTimeout: limit }, link)
  })
}

function notFound(hostname) {
  const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`)
  return Object.assign(error, { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname })
}

/** The addresses of both families alternate, as RFC 8305 advises: one of them may not work at all. */
function inTurn(addresses) {
  const isFirst = ({ address }) => net.isIP(address) === net.isIP(addresses[0].address)
  const firsts = addresses.filter(isFirst)
  const seconds = addresses.filter((address) => !isFirst(address))
  const all = []
  for (let at = 0; at < Math.max(firsts.length, seconds.length); at++) {
    if (at < firsts.length) all.push(firsts[at].address)
    if (at < seconds.length) all.push(seconds[at].address)
  }
  return all
}

function open(addresses, settings, link) {
  const { localAddress, localPort, port } = settings
  const isLocal = localAddress !== undefined || localPort !== 0
  const address = localAddress ?? (net.isIP(addresses[0]) === 6 ? '::' : '0.0.0.0')
  // Shown once it is connected, with the port that the system has chosen.
  link.asked = isLocal ? { address, port: localPort } : null
  const local = isLocal ? `${withNumericScope(address)} ${localPort}` : ''
  const peers = addresses.map((one) => `${withNumericScope(one)} ${port}`)
  link.open(native.connect([local, ...peers], settings))
}

module.exports = { connect }
