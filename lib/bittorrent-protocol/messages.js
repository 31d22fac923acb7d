// What the messages of the peer do: one method each, which users may call, or replace on a wire.
'use strict'

const { choking, rejected, withoutFrames } = require('../errors.js')
const { attempt } = require('../session/attempt.js')
const { notAgreed } = require('./errors.js')
const { AllPieces, PieceSet } = require('./piece-set.js')

/** Most allowed pieces of the peer that are remembered. */
const MAX_ALLOWED = 100

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineMessages(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  /** Users use extensions in their listeners, so those come first; then what we announce may leave. */
  _onHandshake(infoHashBuffer, peerIdBuffer, extensions) {
    const infoHash = infoHashBuffer.toString('hex')
    const peerId = peerIdBuffer.toString('hex')
    this.peerId = peerId
    this.peerIdBuffer = peerIdBuffer
    this.peerExtensions = extensions
    if (this.extensions.fast && extensions.fast) this.hasFast = true
    this.emit('handshake', infoHash, peerId, extensions)
    this._tellHandshake(infoHash, peerId, extensions)
    if (extensions.extended && this._handshakeSent && !this._extendedHandshakeSent)
      this._sendExtendedHandshake()
  },

  _onKeepAlive() {
    this.emit('keep-alive')
  },

  /** With the fast extension the peer rejects what it does not answer. */
  _onChoke() {
    this.peerChoking = true
    attempt(() => this.emit('choke'))
    if (this.hasFast) return
    this._failAll(() => withoutFrames(choking))
  },

  _onUnchoke() {
    this.peerChoking = false
    this.emit('unchoke')
  },

  _onInterested() {
    this.peerInterested = true
    this.emit('interested')
  },

  _onUninterested() {
    this.peerInterested = false
    this.emit('uninterested')
  },

  _onHave(index) {
    if (this.peerPieces.get(index)) return
    this.peerPieces.set(index, true)
    this.emit('have', index)
  },

  _onBitField(buffer) {
    this.peerPieces = new PieceSet(buffer)
    this.emit('bitfield', this.peerPieces)
  },

  _onRequest(index, offset, length) {
    if (this.amChoking && !(this.hasFast && this.allowedFastSet.includes(index))) {
      if (this.hasFast) this.reject(index, offset, length)
      return
    }
    const respond = this._session.open(index, offset, length)
    if (respond !== null) this.emit('request', index, offset, length, respond)
  },

  _onPiece(index, offset, buffer) {
    // Read first, as the callback may transfer the block.
    const { length } = buffer
    this._callback(this._pull(this.requests, index, offset, length), null, buffer)
    this.downloaded += length
    this.downloadSpeed(length)
    this.emit('download', length)
    this.emit('piece', index, offset, buffer)
  },

  _onCancel(index, offset, length) {
    this._session.late?.cancel(index, offset, length)
    this.emit('cancel', index, offset, length)
  },

  _onUpload(length) {
    this.uploaded += length
    this.uploadSpeed(length)
    this.emit('upload', length)
  },

  _onPort(port) {
    this.emit('port', port)
  },

  _onSuggest(index) {
    if (!this.hasFast) return this._endFor(notAgreed(0x0d))
    this.emit('suggest', index)
  },

  _onHaveAll() {
    if (!this.hasFast) return this._endFor(notAgreed(0x0e))
    this.peerPieces = new AllPieces()
    this.emit('have-all')
  },

  _onHaveNone() {
    if (!this.hasFast) return this._endFor(notAgreed(0x0f))
    this.emit('have-none')
  },

  _onReject(index, offset, length) {
    if (!this.hasFast) return this._endFor(notAgreed(0x10))
    const request = this._pull(this.requests, index, offset, length)
    this._callback(request, withoutFrames(rejected), null)
    this.emit('reject', index, offset, length)
  },

  _onAllowedFast(index) {
    if (!this.hasFast) return this._endFor(notAgreed(0x11))
    const allowed = this.peerAllowedFastSet
    if (!allowed.includes(index)) allowed.push(index)
    if (allowed.length > MAX_ALLOWED) allowed.shift()
    this.emit('allowed-fast', index)
  }
}

module.exports = { defineMessages }
