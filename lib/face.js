// What the events of a session do to a wire: its properties change, then it emits the event.
'use strict'

/** The handlers of peer-wire-protocol's events. Each gets the wire first. */
const FACE = {
  /** Whether someone wants to know, because a Buffer is made for it. */
  listensForInfoHash(wire) {
    return wire.listenerCount('info-hash') > 0
  },
  infoHash(wire, infoHash) {
    wire.emit('info-hash', infoHash)
  },
  handshakeRead(wire, extensions) {
    wire.peerExtensions = extensions
    // What a user has written there before makes way for that of the peer.
    Reflect.deleteProperty(wire, 'peerReserved')
  },
  encryption(wire, agreement) {
    wire.emit('encryption', agreement)
  },
  /** Both handshakes are known: shows the flags of the peer that our own asked for. */
  agreed(wire, announced, peerAnnounced) {
    const { peerExtensions } = wire
    // A user may have replaced it, or frozen it, which must not keep the handshake from being sent.
    if (Object(peerExtensions) !== peerExtensions) return
    if (announced.fast) Reflect.set(peerExtensions, 'fast', peerAnnounced.fast)
    if (announced.v2) Reflect.set(peerExtensions, 'v2', peerAnnounced.v2)
  },
  handshake(wire, infoHash, peerId, extensions) {
    wire.emit('handshake', infoHash, peerId, extensions)
  },
  have(wire, piece, { filler }) {
    if (filler !== null) filler.addPiece(wire.peerPieces, piece)
    wire.emit('have', piece)
  },
  bitfield(wire, bits, { filler }) {
    if (filler !== null) filler.addBits(wire.peerPieces, bits)
    wire.emit('bitfield', bits)
  },
  haveAll(wire, pieces) {
    if (pieces.filler !== null) pieces.addAll(wire.peerPieces)
    wire.emit('have-all')
  },
  haveNone(wire) {
    wire.emit('have-none')
  },
  pieceLost(wire, piece, { filler }) {
    if (filler !== null) filler.removePiece(wire.peerPieces, piece)
  },
  piecesKnown(wire, pieces) {
    if (pieces.filler !== null) pieces.refill(wire.peerPieces)
  },
  suggest(wire, piece) {
    wire.emit('suggest', piece)
  },
  reject(wire, piece, offset, length) {
    wire.emit('reject', piece, offset, length)
  },
  allowedFast(wire, piece) {
    wire.emit('allowed-fast', piece)
  },
  choke(wire) {
    wire.emit('choke')
  },
  unchoke(wire) {
    wire.emit('unchoke')
  },
  interested(wire, isInterested) {
    wire.peerInterested = isInterested
    wire.emit(isInterested ? 'interested' : 'uninterested')
  },
  request(wire, piece, offset, length, respond) {
    wire.emit('request', piece, offset, length, respond)
  },
  cancel(wire, piece, offset, length) {
    wire.emit('cancel', piece, offset, length)
  },
  downloaded(wire, length) {
    wire.downloaded += length
    wire.downloadSpeed(length)
    wire.emit('download', length)
  },
  piece(wire, piece, offset, block) {
    wire.emit('piece', piece, offset, block)
  },
  uploading(wire, length) {
    wire.uploaded += length
    wire.uploadSpeed(length)
    wire.emit('upload', length)
  },
  port(wire, port) {
    wire.emit('port', port)
  },
  extended(wire, id, message) {
    wire.emit('extended', id, message)
  },
  extendedHandshake(wire, { peerHandshake }) {
    wire.emit('extended-handshake', peerHandshake)
  },
  /** Returns whether anyone answers. */
  hashRequest(wire, request, respond) {
    return wire.emit('hash-request', request, respond)
  },
  hashes(wire, request, hashes, isVerified) {
    wire.emit('hashes', request, hashes, isVerified)
  },
  hashReject(wire, request) {
    wire.emit('hash-reject', request)
  },
  unknown(wire, message) {
    wire.emit('unknownmessage', message)
  },
  keepAlive(wire) {
    wire.emit('keep-alive')
  },
  timeout(wire) {
    wire.emit('timeout')
  },
  failed(wire, error) {
    wire.destroy(error)
  }
}

module.exports = { FACE }
