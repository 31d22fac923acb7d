// The addon as functions, and the memory through which numbers cross the border.
//
// Numbers are written into an array, which costs a tenth of passing them. The addon reads them at
// once, so calls do not disturb each other. Buffers are passed. The memory belongs to this copy of
// the code: several may use one addon.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')
const { load } = require('./load.js')

const addon = load()
const { CommandKind } = addon
const layout = addon.memoryLayout()
const memory = new ArrayBuffer(layout.byteLength)
markAsUntransferable?.(memory)
const { numbers, commands, record, cuts } = readLayout()

/** A slot number that is never in use: every call with it does nothing. */
const NO_SLOT = 0xffffffff

/** What an entry gives after a panic in the addon: the wire it was called for is broken, and its
 * next event tells of it. Without a wire the entry throws. */
const PANICKED = 0xffffffff

function readLayout() {
  const areas = {}
  for (const name of ['numbers', 'commands', 'record', 'cuts']) {
    const { start, length } = layout[name]
    areas[name] = new Uint32Array(memory, start, length)
  }
  return areas
}

/** Calls an entry that is not called often; gives 0 after a panic. */
function call(entry, slot, a, b, c) {
  numbers[0] = slot
  numbers[1] = a
  numbers[2] = b
  numbers[3] = c
  const result = entry(memory)
  return result === PANICKED ? 0 : result
}

/** Likewise one that takes a buffer, and whose callers look for a panic themselves. */
function pass(entry, slot, buffer) {
  numbers[0] = slot
  return entry(memory, buffer)
}

/** Numbers of a command in the queue. */
const COMMAND_LENGTH = 5

/**
 * Queues a command that needs no answer. It runs before whatever the addon is called for next.
 *
 * @param {number} kind - of CommandKind
 * @param {number} slot
 */
function enqueue(kind, slot, a = 0, b = 0, c = 0) {
  let at = 1 + commands[0]++ * COMMAND_LENGTH
  commands[at++] = slot
  commands[at++] = kind
  commands[at++] = a
  commands[at++] = b
  commands[at++] = c
  if (at === commands.length) call(addon.runQueue, NO_SLOT)
}

// Names of their own, so that enqueue() gets constants.
const { Answer, AnswerEqual, Assume, Cancel, Choke, Close, ExpireRequest, Have } = CommandKind
const { Interested, KeepAlive, NotInterested, PieceHead, Port, Request, SetTrace, SetUnsent } = CommandKind
const { StopReading, TakeBack, Unchoke } = CommandKind

// What each entry does stands in src/binding/entries.rs, under the same names, and each command in
// src/binding/commands.rs. The entries of the stream path call the addon themselves, so that the
// call is compiled into the caller.

const native = {
  create({ maxMessageLength, maxRequestLength, maxPeerRequests, ...settings }) {
    numbers[4] = settings.pieces
    numbers[5] = settings.uploadBacklog
    numbers[6] = settings.policy === 'strict' ? 1 : 0
    return call(addon.create, NO_SLOT, maxMessageLength, maxRequestLength, maxPeerRequests)
  },
  release: (slot) => call(addon.release, slot),
  feed(slot, chunk, kept) {
    numbers[0] = slot
    numbers[1] = kept
    return addon.feed(memory, chunk)
  },
  feedRest(slot, chunk) {
    numbers[0] = slot
    return addon.feedRest(memory, chunk)
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
  handshake(slot, infoHash, peerId, dht) {
    numbers[0] = slot
    numbers[1] = dht
    return addon.handshake(memory, infoHash, peerId)
  },
  extended(slot, id, payload) {
    numbers[0] = slot
    numbers[1] = id
    return addon.extended(memory, payload)
  },
  sendBitfield: (slot, bits) => pass(addon.sendBitfield, slot, bits),
  readPieces: (slot, buffer) => pass(addon.readPieces, slot, buffer),
  readFailure: (slot, buffer) => pass(addon.readFailure, slot, buffer),
  readStats: (slot, buffer) => pass(addon.readStats, slot, buffer),
  readTrace: (slot, buffer) => pass(addon.readTrace, slot, buffer),
  isTruncated: (slot) => call(addon.isTruncated, slot) === 1,
  outputLength: (slot) => call(addon.outputLength, slot),
  pieceBytes: (slot) => call(addon.pieceBytes, slot),
  piecesTold: (slot) => call(addon.piecesTold, slot),
  takeRequest: (slot, piece, offset, length) =>
    call(addon.takeRequest, slot, piece, offset, length),

  answer: (slot, id) => enqueue(Answer, slot, id),
  answerEqual: (slot, piece, offset, length) =>
    enqueue(AnswerEqual, slot, piece, offset, length),
  assume: (slot, amChoking, amInterested, peerChoking) =>
    enqueue(Assume, slot, amChoking, amInterested, peerChoking),
  cancel: (slot, piece, offset, length) => enqueue(Cancel, slot, piece, offset, length),
  choke: (slot) => enqueue(Choke, slot),
  close: (slot) => enqueue(Close, slot),
  expireRequest: (slot) => enqueue(ExpireRequest, slot),
  have: (slot, piece) => enqueue(Have, slot, piece),
  interested: (slot) => enqueue(Interested, slot),
  keepAlive: (slot) => enqueue(KeepAlive, slot),
  notInterested: (slot) => enqueue(NotInterested, slot),
  pieceHead: (slot, piece, offset, blockLength) =>
    enqueue(PieceHead, slot, piece, offset, blockLength),
  port: (slot, port) => enqueue(Port, slot, port),
  request: (slot, piece, offset, length) => enqueue(Request, slot, piece, offset, length),
  setTrace: (slot, capacity) => enqueue(SetTrace, slot, capacity),
  setUnsent: (slot, waiting, ahead) => enqueue(SetUnsent, slot, waiting, ahead),
  stopReading: (slot) => enqueue(StopReading, slot),
  takeBack: (slot, count) => enqueue(TakeBack, slot, count),
  unchoke: (slot) => enqueue(Unchoke, slot)
}

module.exports = { addon, native, record, cuts, NO_SLOT, PANICKED }
