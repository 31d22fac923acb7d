// Turns the numbers of an event into a call of its handler.
'use strict'

const { onExtended, onExtendedHandshake } = require('./extended.js')
const { onHandshake, onHandshakeStart } = require('./handshakes.js')
const { addon } = require('../native.js')

const { EventKind } = addon

// Constants of this module, so that the switch below reads no properties.
const { AllowedFast, Bitfield, Cancel, Choke, Extended, Failed, Handshake } = EventKind
const {
  ExtendedHandshake,
  HashReject,
  HashRequest,
  Hashes,
  Have,
  HaveAll,
  HaveNone,
  HandshakeStart,
  Interested,
  KeepAlive,
  NotInterested,
  Part
} = EventKind
const { Piece, Port, Reject, Request, RequestDropped, Suggest, Unchoke, Unknown } = EventKind
const NoEvent = EventKind.None

/**
 * Calls the handler of an event: a method of the session where there is more to do, else the face's own.
 * All numbers are read before it runs, because it may cause another event, which overwrites them.
 *
 * @param {number} kind - of EventKind
 * @param {Uint32Array} numbers - of the event, from index 1 on; see src/binding/record.rs
 * @param {import('./session.js').Session} session
 * @param {import('./intake.js').Intake} intake - for payloads
 * @param {Buffer | null} chunk - that holds the payloads
 */
function deliver(kind, numbers, session, intake, chunk) {
  const { face, wire } = session
  switch (kind) {
    case NoEvent:
      return
    case Have:
      return face.have(wire, numbers[1], session.pieces)
    case Piece:
      return session.onPiece(
        numbers[1],
        numbers[2],
        numbers[5],
        intake.payload(chunk, numbers[3], numbers[4])
      )
    case Part:
      return intake.keepPart(chunk, numbers[1], numbers[2], numbers[3], numbers[4])
    case Request:
      return session.onRequest(numbers[1], numbers[2], numbers[3], numbers[4])
    case Cancel:
      return session.onCancel(numbers[1], numbers[2], numbers[3], numbers[4] === 1, numbers[5])
    case RequestDropped:
      return session.onRequestDropped(numbers[1], numbers[2])
    case KeepAlive:
      return face.keepAlive(wire)
    case Choke:
      return session.onChoke()
    case Unchoke:
      return session.onUnchoke()
    case Interested:
      return face.interested(wire, true)
    case NotInterested:
      return face.interested(wire, false)
    case Bitfield:
      return face.bitfield(wire, intake.joined(numbers[1]), session.pieces)
    case HandshakeStart:
      return onHandshakeStart(session, numbers)
    case Handshake:
      return onHandshake(session, announcedBy(numbers))
    case HaveAll:
      return face.haveAll(wire, session.pieces)
    case HaveNone:
      return face.haveNone(wire)
    case Suggest:
      return face.suggest(wire, numbers[1])
    case Reject:
      return session.onReject(numbers[1], numbers[2], numbers[3], numbers[4])
    case AllowedFast:
      return session.onAllowedFast(numbers[1])
    case Port:
      return face.port(wire, numbers[1])
    case Extended:
      return onExtended(session, numbers[1], intake.payload(chunk, numbers[2], numbers[3]))
    case ExtendedHandshake:
      return onExtendedHandshake(session, intake.joined(numbers[1]), numbers[2] === 1)
    case HashRequest:
      return session.hashes.onRequest(numbers, intake.joined(32))
    case Hashes:
      return session.hashes.onHashes(numbers, intake.joined(numbers[7]))
    case HashReject:
      return session.hashes.onReject(numbers, intake.joined(32))
    case Unknown:
      return face.unknown(wire, intake.payload(chunk, numbers[1], numbers[2]))
    case Failed:
      return session.onFailed()
  }
  throw new Error(`unknown event ${kind}`)
}

/** What a handshake can announce, by the bits of its flags: shared, as each wire keeps one. */
const ANNOUNCED = Array.from({ length: 16 }, (_, bits) => ({
  dht: (bits & 1) !== 0,
  extended: (bits & 2) !== 0,
  fast: (bits & 4) !== 0,
  v2: (bits & 8) !== 0
}))

function announcedBy(numbers) {
  return ANNOUNCED[numbers[1] | (numbers[2] << 1) | (numbers[3] << 2) | (numbers[4] << 3)]
}

module.exports = { deliver }
