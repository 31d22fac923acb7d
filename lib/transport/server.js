// `createServer()`: wires with native sockets, for the peers that connect to us.
'use strict'

const dns = require('node:dns')
const { EventEmitter } = require('node:events')
const net = require('node:net')

const { toAddress, toPeerAddress, withNumericScope } = require('./addresses.js')
const { toListenError, toSocketError } = require('./errors.js')
const { makeNativeWire } = require('./native-wire.js')
const { native } = require('./native.js')
const { Newcomers } = require('./newcomers.js')
const { toListenArguments, toServerSettings } = require('./options.js')
const { keepAlive, servers, startRecords } = require('./records.js')
const { withCode } = require('../errors.js')
const { attempt } = require('../session/attempt.js')
const { onAbort } = require('../session/signals.js')

/** A server that is not listening has no number. */
const NONE = -1

class Server extends EventEmitter {
  #settings
  #newcomers
  #number = NONE
  #address = null
  #isRef = true
  /** Whether it keeps the process alive now. */
  #isKept = false
  #isClosing = false
  /** Where it is to listen, and how to go on where that cannot be. */
  #asked = null
  #other = null
  #wires = new Set()

  /**
   * @param {object} [options] - of the sockets and of the wires, see docs/transport.md
   * @param {(wire: import('../wire.js'), infoHash: Buffer | null) => void} [listener] - of `'wire'`
   */
  constructor(options, listener) {
    super()
    const [given, onwire] =
      typeof options === 'function' ? [{}, options] : [options ?? {}, listener]
    this.#settings = toServerSettings(given)
    this.#newcomers = new Newcomers(this.#settings)
    if (onwire !== undefined && typeof onwire !== 'function') {
      throw new TypeError('listener must be a function')
    }
    /** Connections above which further ones are dropped; undefined for no limit. As in Node. */
    this.maxConnections = undefined
    if (onwire !== undefined) this.on('wire', onwire)
  }

  /** @returns {boolean} */
  get listening() {
    return this.#address !== null
  }

  /** @returns {number} that are open, of wires that were not shown yet, too */
  get connections() {
    return this.#wires.size
  }

  /**
   * Begins to listen, as the method of `net.Server` does: `'listening'` or `'error'` follows.
   *
   * @param {number | string | {port?: number, host?: string, backlog?: number, signal?: AbortSignal}} [port]
   * @param {...unknown} rest - host, backlog and a listener of `'listening'`, each of which may be left out
   * @returns {this}
   */
  listen(port, ...rest) {
    const { listener, settings } = toListenArguments(port, rest)
    if (this.#isKept) {
      throw withCode(
        'ERR_SERVER_ALREADY_LISTEN',
        'Listen method has been called more than once without closing.'
      )
    }
    if (listener !== undefined) this.once('listening', listener)
    const { signal } = settings
    if (signal?.aborted) {
      process.nextTick(() => this.emit('close'))
      return this
    }
    startRecords()
    this.#keep(true)
    this.#isClosing = false
    if (signal !== undefined) {
      const stopListening = onAbort(signal, () => this.close())
      this.once('close', stopListening)
    }
    this.#resolve(settings)
    return this
  }

  #resolve(settings) {
    const { host } = settings
    if (host === undefined) return this.#open('::', settings, '0.0.0.0')
    if (net.isIP(host) !== 0) return this.#open(host, settings)
    dns.lookup(host, (error, address) => {
      if (this.#isClosing) this.#end()
      else if (error) this.#fail(error)
      else this.#open(address, settings)
    })
  }

  /** @param {string} [other] - address to take where the system has no IPv6 */
  #open(address, settings, other) {
    this.#other = other === undefined ? null : () => this.#open(other, settings)
    this.#asked = { address, port: settings.port }
    const options = { ...this.#settings, backlog: settings.backlog }
    this.#number = native.listen(`${withNumericScope(address)} ${settings.port}`, options)
    servers.set(this.#number, this)
  }

  _onListening([line]) {
    if (this.#isClosing) return
    this.#address = toAddress(line)
    this.emit('listening')
  }

  /** @param {boolean} goesOn - whether only a connection could not be taken */
  _onFailed([line], goesOn) {
    // A peer must not end the process of a server that nobody watches for that.
    if (goesOn) return this.listenerCount('error') > 0 && this.emit('error', toSocketError(line))
    const error = toListenError(line, this.#asked)
    const other = this.#other
    this.#forget()
    if (this.#isClosing) return this.#end()
    // As Node does; another address would not help where the port is taken.
    if (other !== null && error.code !== 'EADDRINUSE') return other()
    this.#fail(error)
  }

  _onClosed() {
    this.#forget()
    this.#end()
  }

  #forget() {
    servers.delete(this.#number)
    this.#number = NONE
    this.#address = null
    this.#other = null
  }

  #fail(error) {
    this.#keep(false)
    process.nextTick(() => this.emit('error', error))
  }

  /** `'close'` follows when the last wire is closed, as in Node. */
  #end() {
    if (this.#number !== NONE || this.#wires.size > 0 || !this.#isClosing) return
    this.#isClosing = false
    this.#keep(false)
    process.nextTick(() => this.emit('close'))
  }

  _onAccepted(socket, addresses) {
    const number = this.#number
    const [local, remote] = addresses.map(toAddress)
    let isTaken = false
    try {
      isTaken = !this.#isClosing && this.#take(socket, local, remote)
    } finally {
      if (!isTaken) native.destroy(socket)
      native.lookedAt(number)
    }
  }

  /** @returns {boolean} whether the socket has a wire now */
  #take(socket, local, remote) {
    const place = toPlace(local, remote)
    const { maxConnections } = this
    if ((maxConnections ?? null) !== null && this.#wires.size >= maxConnections) {
      this.emit('drop', place)
      return false
    }
    // The filter may have closed the server.
    if (!this.#admits(remote) || this.#isClosing) return false
    const ticket = this.#newcomers.admit(remote.address)
    if (ticket instanceof Error) {
      this.emit('refuse', ticket, place)
      return false
    }
    try {
      this.#welcome(socket, local, remote, ticket)
    } catch (error) {
      ticket.leave(false)
      throw error
    }
    return true
  }

  #admits({ address, port }) {
    const { filter } = this.#settings
    if (filter === undefined) return true
    let isWanted = false
    attempt(() => {
      isWanted = Boolean(filter(address, port))
    })
    return isWanted
  }

  #welcome(socket, local, remote, ticket) {
    const { isHidden, toWireOptions } = this.#settings
    // A wire that nobody has seen keeps the process alive only as the server does.
    const { wire, link } = makeNativeWire(toWireOptions(remote), !isHidden || this.#isRef)
    wire.peerAddress = toPeerAddress(remote)
    let isShown = false
    const show = (infoHash) => {
      isShown = true
      link.setRef(true)
      this.emit('wire', wire, infoHash)
    }
    this.#newcomers.add(link, ticket, (infoHash) => isHidden && show(infoHash))
    this.#wires.add(wire)
    link.onreleased = () => {
      this.#wires.delete(wire)
      if (!isShown) attempt(() => this.emit('refuse', wire.error, toPlace(local, remote)))
      this.#end()
    }
    link.accept(socket, local, remote)
    if (!isHidden) attempt(show, null)
  }

  /** @returns {{address: string, family: string, port: number} | null} as in Node; null while it does not listen */
  address() {
    return this.#address === null ? null : { ...this.#address }
  }

  /**
   * Takes no further connections. `'close'` follows when all wires are closed.
   *
   * @param {(error?: Error) => void} [callback] - called then, with an error if it was not listening
   * @returns {this}
   */
  close(callback) {
    const wasOpen = this.#isKept && !this.#isClosing
    if (typeof callback === 'function') {
      if (this.#isKept) this.once('close', () => callback())
      else
        process.nextTick(() =>
          callback(withCode('ERR_SERVER_NOT_RUNNING', 'Server is not running.'))
        )
    }
    if (wasOpen) {
      this.#isClosing = true
      this.#newcomers.close()
      if (this.#number !== NONE) native.closeListener(this.#number)
    }
    return this
  }

  /** @returns {Promise<void>} that follows `'close'` */
  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    if (!this.#isKept) return
    await new Promise((resolve) => {
      this.close(resolve)
    })
  }

  /** @returns {this} that keeps the process alive while it listens */
  ref() {
    return this.#setRef(true)
  }

  /** @returns {this} that does not */
  unref() {
    return this.#setRef(false)
  }

  #setRef(isRef) {
    if (isRef !== this.#isRef && this.#isKept) keepAlive(isRef ? 1 : -1)
    this.#isRef = isRef
    return this
  }

  #keep(isWanted) {
    if (isWanted === this.#isKept) return
    this.#isKept = isWanted
    if (this.#isRef) keepAlive(isWanted ? 1 : -1)
  }
}

/** As `'drop'` of net.Server has it. */
function toPlace(local, remote) {
  return {
    localAddress: local.address,
    localPort: local.port,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteFamily: remote.family
  }
}

/**
 * @param {object} [options] - of the sockets and of the wires, see docs/transport.md
 * @param {(wire: import('../wire.js'), infoHash: Buffer | null) => void} [listener] - of `'wire'`
 * @returns {Server}
 */
const createServer = (options, listener) => new Server(options, listener)

module.exports = { Server, createServer }
