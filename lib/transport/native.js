// The entries of the addon for native sockets, as functions. See src/binding/transport.
'use strict'

const { addon, memory, numbers, record, NO_SLOT } = require('../native.js')

const { FetchOutcome, RecordKind, SocketCommand, SocketOrder, SocketServe } = addon

const { toPlace } = require('./source-options.js')

/** Room for what a record says in words: most are short. */
const TEXT_LENGTH = 1024

/** What `fetchPiece` returns if the I/O thread writes into memory of the user. */
const DIRECT = 2

/** The bit of `unsentSocket` that says that a record follows. */
const WILL_DRAIN = 2 ** 31

function call(entry, number, value) {
  numbers[0] = NO_SLOT
  numbers[1] = number
  return entry(memory, value)
}

function command(kind) {
  return (number) => {
    numbers[0] = NO_SLOT
    numbers[1] = number
    numbers[2] = kind
    addon.commandSocket(memory)
  }
}

/** Sizes and flags, before what only one of the two entries takes. */
function setOptions({ noDelay, receiveBufferSize, sendBufferSize }) {
  numbers[1] = +noDelay
  numbers[2] = receiveBufferSize
  numbers[3] = sendBufferSize
}

const holder = { slab: null }

/** @returns {ArrayBuffer | null} that of the entry, if it gives one */
function take(entry, number) {
  const isTaken = call(entry, number, holder) === 1
  const { slab } = holder
  holder.slab = null
  return isTaken ? slab : null
}

/** Made when it is first needed. */
let text = null

const native = {
  /** @param {() => void} callback - called when there are records */
  start(callback) {
    numbers[0] = NO_SLOT
    addon.startTransport(memory, callback)
  },
  keepAlive: (isWanted) => call(addon.refTransport, +isWanted),
  /** @returns {number} of RecordKind; its numbers are in `record` */
  take() {
    numbers[0] = NO_SLOT
    return addon.takeRecord(memory)
  },
  /** @returns {number} how many records wait */
  recordsLeft() {
    numbers[0] = NO_SLOT
    return addon.recordsLeft(memory)
  },
  /** @returns {string[]} the lines of the last record */
  readText() {
    numbers[0] = NO_SLOT
    text ??= Buffer.alloc(TEXT_LENGTH)
    const length = addon.readRecordText(memory, text)
    let whole = text
    if (length > TEXT_LENGTH) {
      whole = Buffer.alloc(length)
      numbers[0] = NO_SLOT
      addon.readRecordText(memory, whole)
    }
    return whole.toString('latin1', 0, length).split('\n')
  },
  /** @returns {boolean} whether transfers have done something of which no record was taken: how much is in `record` */
  takeProgress: (number) => call(addon.takeProgress, number) === 1,
  /** @returns {ArrayBuffer | null} null where the runtime allows no memory of others, or there is none left */
  allocate: (length) => take(addon.allocate, length),
  /** @returns {ArrayBuffer | null} null where the runtime allows no memory of others */
  takeSlab: (number) => take(addon.takeSlab, number),
  copySlab(number, start, buffer) {
    numbers[2] = start
    call(addon.copySlab, number, buffer)
  },
  /** @param {string[]} addresses - ours or an empty one, and then the peer's */
  connect(addresses, settings) {
    numbers[0] = NO_SLOT
    setOptions(settings)
    numbers[4] = settings.attemptTimeout
    numbers[5] = settings.connectTimeout
    return addon.connectSocket(memory, Buffer.from(addresses.join('\n')))
  },
  listen(address, settings) {
    numbers[0] = NO_SLOT
    setOptions(settings)
    numbers[4] = settings.backlog
    return addon.listenSocket(memory, Buffer.from(address))
  },
  /** Leaves what a wire has to send. */
  transmit(slot, number) {
    numbers[0] = slot
    numbers[1] = number
    return addon.transmit(memory)
  },
  /** Leaves that, and then a block. */
  transmitPiece(slot, number, piece, offset, block) {
    numbers[0] = slot
    numbers[1] = number
    numbers[2] = piece
    numbers[3] = offset
    return addon.transmitPiece(memory, block)
  },
  write: (number, bytes) => call(addon.writeSocket, number, bytes),
  unsent: (number) => call(addon.unsentSocket, number),
  endExchange(number, encryption, payload) {
    numbers[2] = encryption
    call(addon.encryptSocket, number, payload)
  },
  /** Reads the socket for a wire from now on. */
  startReading(slot, number) {
    numbers[0] = slot
    numbers[1] = number
    addon.startSocket(memory)
  },
  handshakeSent(slot, number) {
    numbers[0] = slot
    numbers[1] = number
    addon.orderHandshake(memory)
  },
  order(number, kind, first, second = 0, third = 0) {
    numbers[2] = kind
    numbers[3] = first
    numbers[4] = second
    numbers[5] = third
    call(addon.orderSocket, number)
  },
  /** @returns {boolean} whether the blocks are written into the memory of the user as they arrive */
  fetchPiece(slot, number, id, { piece, length, blockLength, timeout, into }, details) {
    numbers[0] = slot
    numbers[1] = number
    numbers[2] = id
    numbers[3] = piece
    numbers[4] = length
    numbers[5] = blockLength
    numbers[6] = timeout
    return addon.fetchPiece(memory, details, into) === DIRECT
  },
  /** @returns {ArrayBuffer | null} null where the runtime allows no memory of others */
  takeFetched(number, id) {
    numbers[2] = id
    return take(addon.takeFetched, number)
  },
  copyFetched(number, id, buffer) {
    numbers[2] = id
    return call(addon.copyFetched, number, buffer)
  },
  /** @param {object} settings - see source-options.js */
  makeSource(settings) {
    const { length, pieceLength } = settings
    numbers[2] = Math.floor(length / 2 ** 32)
    numbers[3] = length % 2 ** 32
    return call(addon.makeSource, pieceLength, toPlace(settings))
  },
  /** @param {Uint8Array | null} bytes - null where the pieces are in files */
  addPiece(source, piece, bytes) {
    numbers[2] = piece
    numbers[3] = bytes === null ? 0 : 1
    return call(addon.addPiece, source, bytes) === 1
  },
  removePiece(source, piece) {
    numbers[2] = piece
    return call(addon.removePiece, source) === 1
  },
  hasPiece(source, piece) {
    numbers[2] = piece
    return call(addon.hasPiece, source) === 1
  },
  countFailures: (source) => call(addon.countFailures, source),
  closeSource(source, isClosed) {
    numbers[2] = +isClosed
    call(addon.closeSource, source)
  },
  /** @param {number[]} allowed - pieces that are served even while we choke */
  serve(number, source, { amChoking, pieces }, allowed) {
    const bytes = Buffer.alloc(4 * allowed.length)
    allowed.forEach((piece, at) => bytes.writeUInt32BE(piece, 4 * at))
    numbers[2] = source
    numbers[3] = +!!amChoking
    numbers[4] = pieces.count
    call(addon.serveSocket, number, bytes)
  },
  orderServing(number, kind, first, second, third) {
    numbers[2] = kind
    numbers[3] = first
    numbers[4] = second
    numbers[5] = third
    call(addon.orderServing, number)
  },
  createRates() {
    numbers[0] = NO_SLOT
    return addon.createRates(memory)
  },
  setRates(rates, download, upload) {
    numbers[2] = download
    numbers[3] = upload
    call(addon.setRates, rates)
  },
  releaseRates: (rates) => call(addon.releaseRates, rates),
  /** @param {number[]} rates - two numbers, of which each may be none */
  pace(number, [own, group]) {
    numbers[2] = own
    numbers[3] = group
    call(addon.paceSocket, number)
  },
  send: command(SocketCommand.Send),
  pause: command(SocketCommand.Pause),
  resume: command(SocketCommand.Resume),
  beginExchange: command(SocketCommand.BeginExchange),
  close: command(SocketCommand.Close),
  fail: command(SocketCommand.Fail),
  destroy: command(SocketCommand.Destroy),
  closeListener: command(SocketCommand.CloseListener),
  lookedAt: command(SocketCommand.LookedAt),
  tellFlushed: command(SocketCommand.TellFlushed)
}

module.exports = { native, record, FetchOutcome, RecordKind, SocketOrder, SocketServe, WILL_DRAIN }
