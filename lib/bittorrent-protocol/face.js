// What the events of a session do to such a wire: they call its methods, which users may replace on a wire.
'use strict'

const { notAgreed } = require('./errors.js')

const noop = () => {}

/** The first and last id of the messages of BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>. */
const FIRST_FAST = 0x0d
const LAST_FAST = 0x11

/** The handlers of a session: see FACE in lib/face.js. Requests and choking are handled by ./session.js. */
const FACE = {
  listensForInfoHash: () => false,
  infoHash: noop,
  handshakeRead: noop,
  agreed: noop,
  encryption: noop,
  handshake(wire, infoHash, peerId) {
    const { dht, extended, fast } = wire._session.peerAnnounced
    wire._onHandshake(infoHash, peerId, { dht, fast, extended })
  },
  have(wire, piece) {
    wire._onHave(piece)
  },
  bitfield(wire, bits) {
    wire._onBitField(bits)
  },
  haveAll(wire) {
    wire._onHaveAll()
  },
  haveNone(wire) {
    wire._onHaveNone()
  },
  pieceLost: noop,
  piecesKnown: noop,
  suggest(wire, piece) {
    wire._onSuggest(piece)
  },
  interested(wire, isInterested) {
    if (isInterested) wire._onInterested()
    else wire._onUninterested()
  },
  uploading: noop,
  port(wire, port) {
    wire._onPort(port)
  },
  extended(wire, id, payload) {
    wire._onExtended(id, payload)
  },
  /** A message of an extension of the protocol that was not agreed on has no meaning, except that of BEP 6. */
  unknown(wire, message) {
    const id = message[0]
    if (id >= FIRST_FAST && id <= LAST_FAST) wire._endFor(notAgreed(id))
    else wire.emit('unknownmessage', message)
  },
  keepAlive(wire) {
    wire._onKeepAlive()
  },
  failed(wire, error) {
    wire._endFor(error)
  }
}

module.exports = { FACE }
