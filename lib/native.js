// The addon as functions, and the table of its slots: one slot for each living wire.
//
// Numbers cross the border in an array, where writing them costs a tenth of passing them. The
// addon reads them at once, so calls do not disturb each other. Buffers are passed.
'use strict'

const addon = load()
const { numbers, record, EventKind } = addon

/** A slot number that is never in use: every call with it does nothing. */
const NO_SLOT = 0xffffffff

/** What an entry gives after a panic in the addon, which breaks the wire it was called for. */
const PANICKED = 0xffffffff

// A wire that is dropped without an end must not keep its slot for ever.
const abandoned = new FinalizationRegistry((slot) => call(addon.release, slot))

/**
 * Makes the native half of a wire.
 *
 * @param {object} owner - the wire; the slot is given back at the latest when it is collected
 * @param {{maxMessageLength: number, maxRequestLength: number, maxPeerRequests: number,
 *   pieces: number}} limits - see lib/options.js
 * @returns {number} the slot
 */
function acquire(owner, limits) {
  const { maxMessageLength, maxRequestLength, maxPeerRequests, pieces } = limits
  numbers[4] = pieces
  const slot = call(addon.create, 0, maxMessageLength, maxRequestLength, maxPeerRequests)
  abandoned.register(owner, slot, owner)
  return slot
}

/**
 * Gives a slot back.
 *
 * @param {object} owner - the wire
 * @param {number} slot - its slot
 */
function giveBack(owner, slot) {
  abandoned.unregister(owner)
  call(addon.release, slot)
}

/** Calls an entry that is not called often. */
function call(entry, slot, a, b, c) {
  numbers[0] = slot
  numbers[1] = a
  numbers[2] = b
  numbers[3] = c
  return entry()
}

// What each entry does stands in src/binding/entries.rs, under the same names. Those of the
// stream path call the addon themselves, so that the call is compiled into the caller.

const native = {
  feed(slot, chunk, kept) {
    numbers[0] = slot
    numbers[1] = kept
    return addon.feed(chunk)
  },
  feedRest(slot, chunk, start) {
    numbers[0] = slot
    numbers[1] = start
    return addon.feedRest(chunk)
  },
  next(slot) {
    numbers[0] = slot
    return addon.next()
  },
  readPayload(slot, buffer) {
    numbers[0] = slot
    return addon.readPayload(buffer)
  },
  readOutput(slot, buffer) {
    numbers[0] = slot
    return addon.readOutput(buffer)
  },
  request(slot, piece, offset, length) {
    numbers[0] = slot
    numbers[1] = piece
    numbers[2] = offset
    numbers[3] = length
    return addon.request()
  },
  takePeerRequest(slot, id) {
    numbers[0] = slot
    numbers[1] = id
    return addon.takePeerRequest()
  },
  piece(slot, piece, offset, block) {
    numbers[0] = slot
    numbers[1] = piece
    numbers[2] = offset
    return addon.piece(block)
  },
  pieceHead(slot, piece, offset, blockLength, head) {
    numbers[0] = slot
    numbers[1] = piece
    numbers[2] = offset
    numbers[3] = blockLength
    return addon.pieceHead(head)
  },
  have(slot, piece) {
    numbers[0] = slot
    numbers[1] = piece
    return addon.have()
  },
  handshake(slot, infoHash, peerId, dht) {
    numbers[0] = slot
    numbers[1] = dht
    return addon.handshake(infoHash, peerId)
  },
  extended(slot, id, payload) {
    numbers[0] = slot
    numbers[1] = id
    return addon.extended(payload)
  },
  sendBitfield(slot, bits) {
    numbers[0] = slot
    return addon.sendBitfield(bits)
  },
  readPieces(slot, buffer) {
    numbers[0] = slot
    return addon.readPieces(buffer)
  },
  readFailure(slot, buffer) {
    numbers[0] = slot
    return addon.readFailure(buffer)
  },
  pieceBytes: (slot) => call(addon.pieceBytes, slot),
  choke: (slot) => call(addon.choke, slot),
  unchoke: (slot) => call(addon.unchoke, slot),
  interested: (slot) => call(addon.interested, slot),
  notInterested: (slot) => call(addon.notInterested, slot),
  port: (slot, port) => call(addon.port, slot, port),
  keepAlive: (slot) => call(addon.keepAlive, slot),
  cancel: (slot, piece, offset, length) => call(addon.cancel, slot, piece, offset, length),
  takeRequest: (slot, piece, offset, length) =>
    call(addon.takeRequest, slot, piece, offset, length),
  expireRequest: (slot) => call(addon.expireRequest, slot),
  holdRequests: (slot, isHolding) => call(addon.holdRequests, slot, isHolding),
  assume: (slot, amChoking, amInterested, peerChoking) =>
    call(addon.assume, slot, amChoking, amInterested, peerChoking),
  stopReading: (slot) => call(addon.stopReading, slot),
  close: (slot) => call(addon.close, slot)
}

function load() {
  try {
    return require('../native.js')
  } catch (cause) {
    const platform = `${process.platform} ${process.arch}`
    throw new Error(
      `peer-wire-native has no binary for ${platform}: install Rust (https://rustup.rs) and run ` +
        '"npm rebuild"',
      { cause }
    )
  }
}

module.exports = { native, record, EventKind, acquire, giveBack, NO_SLOT, PANICKED }
