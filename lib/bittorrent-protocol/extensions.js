// The extension protocol (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>) with the contract that extensions
// of bittorrent-protocol have: a class with a name on its prototype, whose instance is a property of the wire.
'use strict'

const { isUint8Array } = require('node:util').types

const { checkInteger, toBytes } = require('../arguments.js')
const { fromBencode, isDictionary, toBencode } = require('./bencode.js')

/** Ids have one byte, and 0 is the handshake. */
const MAX_ID = 255

/** Most requests that we ask a peer to have open, as libtorrent and transmission do. We keep more. */
const MAX_ANNOUNCED = 2000

/** Most names that the peer may announce, over all its handshakes. */
const MAX_NAMES = 1000

/** Most characters of such a name, as for the other wires of this package: names stay as long as the wire. */
const MAX_NAME_LENGTH = 64

const noop = () => {}

/**
 * Defines these methods on the prototype of wires.
 *
 * @param {object} prototype
 */
function defineExtensions(prototype) {
  Object.assign(prototype, METHODS)
}

const METHODS = {
  /**
   * Uses an extension.
   *
   * @param {Function} Extension - a class whose prototype has a `name`
   */
  use(Extension) {
    const name = Extension?.prototype?.name
    if (!name) throw new Error('Extension class requires a "name" property on the prototype')
    const id = this._nextExt
    if (id > MAX_ID) throw new RangeError(`a wire has at most ${MAX_ID} extensions`)
    const handler = new Extension(this)
    for (const method of ['onHandshake', 'onExtendedHandshake', 'onMessage'])
      if (typeof handler[method] !== 'function') handler[method] = noop
    this.extendedMapping[id] = name
    this._ext[name] = handler
    this[name] = handler
    this._nextExt = id + 1
  },

  /**
   * Sends a message of an extension.
   *
   * @param {number | string} ext - the peer's id, or the name of an extension of the peer; 0 is our handshake
   * @param {unknown} message - bytes, or a value to bencode
   */
  extended(ext, message) {
    const id = typeof ext === 'string' ? idOf(this, ext) : ext
    if (typeof id !== 'number') throw new Error(`Unrecognized extension: ${ext}`)
    checkInteger('ext', id, MAX_ID)
    const payload = ArrayBuffer.isView(message) ? toView(message) : toBencode(message)
    this._session.extended(id, toBytes('message', payload))
  },

  /** A peer that keeps to `reqq` has none of its requests refused. */
  _sendExtendedHandshake() {
    this._extendedHandshakeSent = true
    const reqq = Math.min(MAX_ANNOUNCED, this._session.settings.maxPeerRequests)
    const m = {}
    for (const [id, name] of Object.entries(this.extendedMapping)) m[name] = Number(id)
    this.extended(0, toBencode({ reqq, ...this.extendedHandshake, m }))
  },

  _tellHandshake(infoHash, peerId, extensions) {
    // One may replace those that follow.
    for (const name of Object.keys(this._ext))
      this._ext[name].onHandshake(infoHash, peerId, extensions)
  },

  _onExtended(ext, payload) {
    if (ext === 0) return onExtendedHandshake(this, payload)
    const name = this.extendedMapping[ext]
    if (name) this._ext[name]?.onMessage(payload)
    this.emit('extended', name ? name : ext, payload)
  }
}

function idOf(wire, name) {
  const { peerExtendedMapping } = wire
  const id = Object.hasOwn(peerExtendedMapping, name) ? peerExtendedMapping[name] : 0
  return id || undefined
}

function toView(bytes) {
  if (isUint8Array(bytes)) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** One that cannot be decoded changes nothing. Further ones add to what was announced before. */
function onExtendedHandshake(wire, payload) {
  const handshake = fromBencode(payload)
  if (handshake === null) return
  wire.peerExtendedHandshake = handshake
  if (isDictionary(handshake.m)) learn(wire, handshake.m)
  for (const name of Object.keys(wire._ext))
    if (idOf(wire, name) !== undefined)
      wire._ext[name].onExtendedHandshake(wire.peerExtendedHandshake)
  wire.emit('extended', 'handshake', wire.peerExtendedHandshake)
}

function learn(wire, announced) {
  const mapping = wire.peerExtendedMapping
  // Counted once, as a peer may send many small ones. Names that users remove count until they assign another object.
  if (wire._namesOf !== mapping) {
    wire._namesOf = mapping
    wire._nameCount = Object.keys(mapping).length
  }
  for (const [name, id] of Object.entries(announced)) {
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID || isTooLong(name)) continue
    const isNew = !Object.hasOwn(mapping, name)
    if (isNew && wire._nameCount >= MAX_NAMES) continue
    if (isNew) wire._nameCount++
    mapping[name] = id
  }
}

function isTooLong(name) {
  return name.length > MAX_NAME_LENGTH || Buffer.byteLength(name) > MAX_NAME_LENGTH
}

module.exports = { defineExtensions }
