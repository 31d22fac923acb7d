// The addon as functions, and the memory through which numbers cross the border.
//
// Numbers are written into an array, which costs a tenth of passing them as arguments; Buffers are
// passed. The addon reads the numbers before it does anything else, so calls do not disturb each other.
// The memory belongs to this copy of the code, as several copies may use one addon.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')
const { load } = require('./load.js')

const addon = load()
const layout = addon.memoryLayout()
const memory = new ArrayBuffer(layout.byteLength)
markAsUntransferable?.(memory)
const numbers = arrayOf(layout.numbers)
const commands = arrayOf(layout.commands)

/** What an entry writes in addition to its result: see src/binding/record.rs and entries.rs. */
const record = arrayOf(layout.record)

/** What `readOutput` writes: 1 if it has read all, the number of blocks, and the bytes before each. */
const stretches = arrayOf(layout.stretches)

/** Bytes of an info hash or peer id, whatever the `length` of a Buffer says. */
const ID_LENGTH = 20

/** Bytes of the reserved field of a handshake. */
const RESERVED_LENGTH = 8

/** Where the info hash of version 2 stands among the fields. */
const V2_START = 2 * ID_LENGTH + RESERVED_LENGTH

/**
 * Both ids and the reserved bytes of a handshake we send, and the info hash of version 2. Reused, as V8 has
 * to allocate memory to lend out a small Buffer.
 */
const handshakeFields = Buffer.allocUnsafeSlow(V2_START + ID_LENGTH)

/** Numbers of a command in the queue. */
const COMMAND_LENGTH = layout.commandLength

/** A slot number that is never in use: every call with it does nothing. */
const NO_SLOT = 0xffffffff

/**
 * What an entry returns after a panic in the addon: the wire it was called for is broken, and its next
 * event says so. An entry that is called without a wire throws instead.
 */
const PANICKED = 0xffffffff

function arrayOf({ start, length }) {
  return new Uint32Array(memory, start, length)
}

/** Calls an entry that is not on the hot path; returns 0 after a panic. */
function call(entry, slot, a, b, c) {
  numbers[0] = slot
  numbers[1] = a
  numbers[2] = b
  numbers[3] = c
  const result = entry(memory)
  return result === PANICKED ? 0 : result
}

/** Calls an entry that takes a buffer, and whose callers check for a panic themselves. */
function pass(entry, slot, buffer) {
  numbers[0] = slot
  return entry(memory, buffer)
}

/**
 * Queues a command that needs no answer. It runs at the beginning of the next call into the addon.
 *
 * @param {number} kind - of CommandKind
 * @param {number} slot
 */
function enqueue(kind, slot, a = 0, b = 0, c = 0, d = 0) {
  let at = 1 + commands[0]++ * COMMAND_LENGTH
  commands[at++] = slot
  commands[at++] = kind
  commands[at++] = a
  commands[at++] = b
  commands[at++] = c
  commands[at++] = d
  if (at === commands.length) call(addon.runQueue, NO_SLOT)
}

// Constants of this module, so that a call of enqueue() passes a constant and reads no property.
const { CommandKind } = addon
const { AllowedFast, Answer, Cancel, Choke, Close, Decline, ExpireRequest, Have } = CommandKind
const { HaveAll, HaveNone, Interested, KeepAlive, LeaveRequests } = CommandKind
const { NotInterested, OverwriteState, SendReject } = CommandKind
const { PieceHead, Port, ReadExtendedHandshakes, Refuse, RejectHashes, Request } = CommandKind
const { SetPieces, SetTrace, SetUnsent, SkipPart, StopReading, Suggest, Unchoke } = CommandKind
const { Withdraw, WithdrawHashes } = CommandKind

// Each entry is documented in src/binding/entries.rs under the same name, each command in
// src/binding/commands.rs. The entries of the stream path do without call() and pass(), so that V8
// compiles the call into the caller.

const native = {
  create({ maxMessageLength, maxRequestLength, maxPeerRequests, ...settings }) {
    numbers[4] = settings.pieces
    numbers[5] = settings.uploadBacklog
    numbers[6] = settings.policy === 'strict' ? 1 : 0
    return call(addon.create, NO_SLOT, maxMessageLength, maxRequestLength, maxPeerRequests)
  },
  release: (slot) => call(addon.release, slot),
  poll(slot, at, chunk) {
    numbers[0] = slot
    numbers[1] = at
    return addon.poll(memory, chunk)
  },
  next(slot) {
    numbers[0] = slot
    return addon.next(memory)
  },
  readPayload(slot, buffer) {
    numbers[0] = slot
    return addon.readPayload(memory, buffer)
  },
  readOutput(slot, start, buffer) {
    numbers[0] = slot
    numbers[1] = start
    return addon.readOutput(memory, buffer)
  },
  piece(slot, piece, offset, block) {
    numbers[0] = slot
    numbers[1] = piece
    numbers[2] = offset
    return addon.piece(memory, block)
  },
  handshake(slot, infoHash, peerId, { dht, extended, fast, v2, v2InfoHash, reserved }) {
    handshakeFields.set(infoHash, 0)
    handshakeFields.set(peerId, ID_LENGTH)
    handshakeFields.fill(0, 2 * ID_LENGTH)
    if (reserved !== null) handshakeFields.set(reserved, 2 * ID_LENGTH)
    if (v2InfoHash !== null) handshakeFields.set(v2InfoHash, V2_START)
    numbers[1] = +dht
    numbers[2] = +extended
    numbers[3] = +fast
    numbers[4] = +v2
    numbers[5] = v2InfoHash === null ? 0 : 1
    const outcome = pass(addon.handshake, slot, handshakeFields)
    return outcome === PANICKED ? 0 : outcome
  },
  hasFast: (slot) => call(addon.hasFast, slot) === 1,
  isV2: (slot) => call(addon.isV2, slot) === 1,
  requestHashes(slot, id, { baseLayer, index, length, proofLayers }, nodes) {
    numbers[1] = id
    numbers[2] = baseLayer
    numbers[3] = index
    numbers[4] = length
    numbers[5] = proofLayers
    return pass(addon.requestHashes, slot, nodes)
  },
  answerHashes(slot, id, hashes) {
    numbers[1] = id
    return pass(addon.answerHashes, slot, hashes)
  },
  extended(slot, id, payload) {
    numbers[0] = slot
    numbers[1] = id
    return addon.extended(memory, payload)
  },
  sendBitfield: (slot, bits) => pass(addon.sendBitfield, slot, bits),
  bencodeTokens(start, buffer) {
    numbers[1] = start
    return pass(addon.bencodeTokens, NO_SLOT, buffer)
  },
  peerExtensionId(slot, name) {
    const id = pass(addon.peerExtensionId, slot, name)
    return id === PANICKED ? 0 : id
  },
  readDontHave: (slot, payload) => pass(addon.readDontHave, slot, payload),
  readPieces: (slot, buffer) => pass(addon.readPieces, slot, buffer),
  readFailure: (slot, buffer) => pass(addon.readFailure, slot, buffer),
  readStats(slot, socket, buffer) {
    numbers[1] = socket
    return pass(addon.readStats, slot, buffer)
  },
  readTrace: (slot, buffer) => pass(addon.readTrace, slot, buffer),
  isTruncated: (slot) => call(addon.isTruncated, slot) === 1,
  outputLength: (slot) => call(addon.outputLength, slot),
  pieceBytes: (slot) => call(addon.pieceBytes, slot),
  piecesAnnounced: (slot) => call(addon.piecesAnnounced, slot),
  takeRequest: (slot, piece, offset, length) =>
    call(addon.takeRequest, slot, piece, offset, length),

  allowedFast: (slot, piece) => enqueue(AllowedFast, slot, piece),
  answer: (slot, id) => enqueue(Answer, slot, id),
  cancel: (slot, piece, offset, length) => enqueue(Cancel, slot, piece, offset, length),
  choke: (slot) => enqueue(Choke, slot),
  close: (slot) => enqueue(Close, slot),
  decline: (slot, id) => enqueue(Decline, slot, id),
  expireRequest: (slot) => enqueue(ExpireRequest, slot),
  have: (slot, piece) => enqueue(Have, slot, piece),
  haveAll: (slot) => enqueue(HaveAll, slot),
  haveNone: (slot) => enqueue(HaveNone, slot),
  interested: (slot) => enqueue(Interested, slot),
  keepAlive: (slot) => enqueue(KeepAlive, slot),
  leaveRequests: (slot) => enqueue(LeaveRequests, slot),
  notInterested: (slot) => enqueue(NotInterested, slot),
  overwriteState: (slot, amChoking, amInterested, peerChoking) =>
    enqueue(OverwriteState, slot, amChoking, amInterested, peerChoking),
  pieceHead: (slot, piece, offset, blockLength) =>
    enqueue(PieceHead, slot, piece, offset, blockLength),
  port: (slot, port) => enqueue(Port, slot, port),
  readExtendedHandshakes: (slot) => enqueue(ReadExtendedHandshakes, slot),
  refuseInfoHash: (slot) => enqueue(Refuse, slot, 1),
  refusePeerId: (slot) => enqueue(Refuse, slot, 0),
  rejectHashes: (slot, id) => enqueue(RejectHashes, slot, id),
  request: (slot, id, piece, offset, length) => enqueue(Request, slot, piece, offset, length, id),
  sendReject: (slot, piece, offset, length) => enqueue(SendReject, slot, piece, offset, length),
  setPieces: (slot, count) => enqueue(SetPieces, slot, count),
  setTrace: (slot, capacity) => enqueue(SetTrace, slot, capacity),
  setUnsent: (slot, waiting, ahead) => enqueue(SetUnsent, slot, waiting, ahead),
  skipPart: (slot, length) => enqueue(SkipPart, slot, length),
  stopReading: (slot) => enqueue(StopReading, slot),
  suggest: (slot, piece) => enqueue(Suggest, slot, piece),
  unchoke: (slot) => enqueue(Unchoke, slot),
  withdraw: (slot, id) => enqueue(Withdraw, slot, id),
  withdrawHashes: (slot, id) => enqueue(WithdrawHashes, slot, id)
}

module.exports = { addon, memory, native, numbers, record, stretches, NO_SLOT, PANICKED }
