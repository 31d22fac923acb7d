// The handshakes of both sides: what they announce, and what holds once both are known.
'use strict'

const { attempt } = require('./attempt.js')
const { Fast } = require('./fast.js')
const { admitsPeer, admitsTorrent } = require('./gate.js')
const { toBytes } = require('../arguments.js')
const channels = require('../diagnostics/channels.js')
const { handshakeSent } = require('../errors.js')
const { native } = require('../native.js')
const { allocate, copyOf } = require('../own-memory.js')

/** What `native.handshake` returns, as bits: see src/binding/entries.rs. */
const REFUSED = 1
const EXTENDED = 2

/** Reserved bytes, info hash and peer id of a handshake that was received; reused for each. */
const received = allocate(48)

/**
 * Sends ours.
 *
 * @param {import('./session.js').Session} session
 * @param {Uint8Array} infoHash - 20 bytes
 * @param {Uint8Array} peerId - 20 bytes
 * @param {import('../announced.js').Announced} announced
 */
function sendHandshake(session, infoHash, peerId, announced) {
  const outcome = native.handshake(session.core.slot, infoHash, peerId, announced)
  if ((outcome & REFUSED) !== 0) throw handshakeSent()
  // The reserved bytes of a user may announce the extension protocol, too.
  if ((outcome & EXTENDED) !== 0) announced.extended = true
  if (session.announced === null) session.infoHash = toText(infoHash)
  session.announced ??= announced
  agree(session)
  try {
    session.sent()
    session.port.handshakeSent()
  } finally {
    // Even if the reader of the output has thrown.
    greet(session)
  }
}

/**
 * The peer's handshake was read up to its peer id.
 *
 * @param {import('./session.js').Session} session
 * @param {Uint32Array} numbers - from index 1 on, the bytes of the info hash
 */
function onHandshakeStart(session, numbers) {
  const { face, settings, wire } = session
  const isWanted = settings.infoHashes !== null || session.onserved !== null
  if (!isWanted && !face.listensForInfoHash(wire)) return
  const infoHash = allocate(20)
  for (let place = 0; place < 5; place++) infoHash.writeUInt32BE(numbers[place + 1], place * 4)
  // An upgrade that we have offered needs no other permission.
  const isUpgrade = session.announced?.v2InfoHash?.equals(infoHash) === true
  const isServed = isUpgrade || admitsTorrent(settings, infoHash)
  // The user's function may have destroyed the wire.
  if (session.isClosed) return
  if (isServed) {
    session.tellServed(infoHash)
    if (!session.isClosed) face.infoHash(wire, infoHash)
    return
  }
  native.refuseInfoHash(session.core.slot)
  session.intake.goOn()
}

/**
 * The peer's handshake was read.
 *
 * @param {import('./session.js').Session} session
 * @param {{dht: boolean, extended: boolean, fast: boolean, v2: boolean}} peerAnnounced
 */
function onHandshake(session, peerAnnounced) {
  if (session.deadlines !== null) session.deadlines.meetHandshake()
  const fields = session.intake.read(received)
  session.reservedHigh = fields.readUInt32BE(0)
  session.reservedLow = fields.readUInt32BE(4)
  const infoHash = copyOf(fields, 8, 28)
  const peerId = copyOf(fields, 28, 48)
  if (!admitsPeer(session.settings, peerId)) {
    native.refusePeerId(session.core.slot)
    session.intake.goOn()
    return
  }
  session.infoHash ??= toText(infoHash)
  const { face, wire } = session
  const { dht, extended } = peerAnnounced
  // Only what users of peer-wire-protocol have always seen, and what they have asked for.
  const extensions = { dht, extended }
  face.handshakeRead(wire, extensions)
  session.peerAnnounced = peerAnnounced
  agree(session)
  if (channels.handshake.hasSubscribers) {
    channels.handshake.publish({ wire, infoHash, peerId, extensions })
  }
  if (!session.isClosed) attempt(face.handshake, wire, infoHash, peerId, extensions)
  // After the listeners, which may use extensions.
  if (session.extensions !== null) session.extensions.onHandshake(infoHash, peerId)
  session.isIntroduced = true
  greet(session)
}

/** Both handshakes are known, in either order: what both announce holds. */
function agree(session) {
  const { announced, peerAnnounced } = session
  if (announced === null || peerAnnounced === null) return
  if (announced.fast || announced.v2) session.face.agreed(session.wire, announced, peerAnnounced)
  // Without either we have not announced it: a wire of peer-wire-protocol is spared the call.
  const mayHaveFast = announced.fast || announced.reserved !== null
  if (mayHaveFast && session.fast === null && native.hasFast(session.core.slot)) {
    const onOverdue = (requests) => session.inContext(session.dropOverdue, requests)
    const { downloads, port, settings } = session
    session.fast = new Fast(downloads, settings.rejectTimeout, onOverdue, port)
  }
  const mayBeV2 = announced.v2InfoHash !== null && session.hashes === null
  if (mayBeV2 && native.isV2(session.core.slot)) {
    // Loaded when it is first used: few wires are of version 2.
    const { HashRequests } = require('./hash-requests.js')
    session.hashes = new HashRequests(session)
  }
}

function toText(infoHash) {
  // Its length may say something else.
  return Buffer.from(toBytes('infoHash', infoHash)).toString('latin1')
}

/** Both handshakes may be known: our extended handshake leaves. */
function greet({ extensions, isClosed }) {
  if (extensions !== null && !isClosed) extensions.greet()
}

module.exports = { onHandshake, onHandshakeStart, sendHandshake }
