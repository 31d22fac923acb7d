// The options of native sockets and servers: their defaults and ranges.
'use strict'

const net = require('node:net')
const { isUint8Array } = require('node:util').types

const { checkBoolean, checkDuration, checkInteger, checkSignal } = require('../arguments.js')
const { Policy, commonPolicy } = require('../encryption/policy.js')
const { toHashes } = require('../info-hashes.js')
const { toSettings } = require('../options.js')

/** Largest buffer of the system that can be asked for, in bytes. */
const MAX_BUFFER = 0x3fffffff

const MAX_PORT = 0xffff

const DIGITS = /^\d+$/

/** Longest time in ms: the largest that a timer of Node takes. */
const MAX_DURATION = 0x7fffffff

const checkBufferSize = (name, value) => checkInteger(name, value, MAX_BUFFER)
const checkTime = (name, value) => {
  checkDuration(name, value)
  checkInteger(name, value, MAX_DURATION)
}

/** Of each native socket. 0 leaves a size to the system. */
const SOCKET = {
  // Messages are small and wait for answers: Nagle's algorithm would hold them back.
  noDelay: { check: checkBoolean, normal: true },
  receiveBufferSize: { check: checkBufferSize, normal: 0 },
  sendBufferSize: { check: checkBufferSize, normal: 0 }
}

const CONNECT = {
  ...SOCKET,
  host: { check: checkText, normal: 'localhost' },
  port: { to: toPeerPort, normal: undefined },
  family: { check: checkFamily, normal: 0 },
  localAddress: { check: checkAddress, normal: undefined },
  localPort: { check: (name, value) => checkInteger(name, value, MAX_PORT), normal: 0 },
  lookup: { check: checkFunction, normal: undefined },
  connectTimeout: { check: checkTime, normal: 0 },
  // As Node: RFC 8305 advises 250 ms.
  attemptTimeout: { check: checkTime, normal: 250 },
  signal: { check: checkSignal, normal: undefined },
  ref: { check: checkBoolean, normal: true }
}

const SERVER = {
  ...SOCKET,
  filter: { check: checkFunction, normal: undefined },
  handshakePolicy: { check: checkPolicy, normal: undefined }
}

const LISTEN = {
  port: { to: toPort, normal: 0 },
  host: { check: checkText, normal: undefined },
  backlog: { check: (name, value) => checkInteger(name, value, MAX_DURATION), normal: 511 },
  signal: { check: checkSignal, normal: undefined }
}

/** Reads the options of a table; each is read once. */
function read(table, options) {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError('options must be an object')
  }
  const settings = {}
  for (const [name, { check, to, normal }] of Object.entries(table)) {
    const value = options[name]
    settings[name] = normal
    if (value === undefined || value === null) continue
    check?.(name, value)
    settings[name] = to === undefined ? value : to(name, value)
  }
  return settings
}

/** @param {object} options - of a user, for `connect()` */
function toConnectSettings(options) {
  const settings = read(CONNECT, options)
  if (settings.port === undefined) throw new TypeError('port must be a number')
  return settings
}

/**
 * What can be wrong with the options of wires is found here, and not when a peer connects.
 *
 * @param {object} options - of a user, for `createServer()`
 */
function toServerSettings(options) {
  const settings = read(SERVER, options)
  const own = { ...options, infoHashes: toOwnHashes('infoHashes', options.infoHashes) }
  const { encryption } = own
  if (typeof encryption === 'object' && encryption !== null) {
    const name = 'encryption.infoHashes'
    own.encryption = { role: 'responder', ...encryption }
    own.encryption.infoHashes = toOwnHashes(name, encryption.infoHashes)
    // Peers that do not encrypt want one of them, too.
    if (typeof own.encryption.infoHashes !== 'function')
      own.infoHashes ??= own.encryption.infoHashes
  }
  // Each address has its own count of unfinished exchanges.
  const toWireOptions = ({ address }) =>
    own.encryption ? { ...own, encryption: { address, ...own.encryption } } : own
  const wire = toSettings(toWireOptions({ address: '::' }))
  if (wire.encryption?.isInitiator) throw new RangeError("encryption.role must be 'responder'")
  const policy = settings.handshakePolicy ?? wire.encryption?.policy ?? commonPolicy()
  const timeout = wire.encryption?.timeout ?? policy.timeout
  const isHidden = wire.infoHashes !== null || wire.encryption !== null
  return { ...settings, isHidden, policy, timeout, toWireOptions }
}

/** What a user changes later must not fail when a peer connects, except for what is a Set. */
function toOwnHashes(name, value) {
  if (value === undefined || value === null || typeof value === 'function') return value
  const isOne = typeof value === 'string' || isUint8Array(value)
  return toHashes(name, isOne ? [value] : value)
}

/**
 * @param {unknown} port - number, digits, options or a listener: the first argument of `listen()`
 * @param {unknown[]} rest - host, backlog and listener, of which any may be missing
 */
function toListenArguments(port, rest) {
  const listener = [port, ...rest].findLast((value) => typeof value === 'function')
  if (typeof port === 'object' && port !== null) return { listener, settings: read(LISTEN, port) }
  const [host, backlog] = rest.filter((value) => typeof value !== 'function')
  const isBacklog = typeof host === 'number'
  const settings = read(LISTEN, {
    port: typeof port === 'function' ? undefined : port,
    host: isBacklog ? undefined : host,
    backlog: isBacklog ? host : backlog
  })
  return { listener, settings }
}

/** Digits are a port, too, as in Node. */
function toPort(name, value) {
  const port = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  checkInteger(name, port, MAX_PORT)
  return port
}

function toPeerPort(name, value) {
  const port = toPort(name, value)
  if (port === 0) throw new RangeError(`${name} must be at least 1`)
  return port
}

function checkText(name, value) {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`${name} must be a string that is not empty`)
  }
}

function checkFamily(name, value) {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
  if (![0, 4, 6].includes(value)) throw new RangeError(`${name} must be 4, 6 or 0`)
}

function checkAddress(name, value) {
  if (typeof value !== 'string' || net.isIP(value) === 0) {
    throw new TypeError(`${name} must be an IP address`)
  }
}

function checkFunction(name, value) {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
}

function checkPolicy(name, value) {
  if (!(value instanceof Policy)) throw new TypeError(`${name} must be an encryption.Policy`)
}

module.exports = { toConnectSettings, toListenArguments, toServerSettings }
