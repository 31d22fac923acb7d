// What a handshake announces, from the third argument of `wire.handshake()`.
'use strict'

const { isUint8Array } = require('node:util').types

const { byteLength, checkBoolean, toBytes, toOwnInfoHash } = require('./arguments.js')

/** Bytes of the reserved field. */
const RESERVED_LENGTH = 8

/** What peer-wire-protocol announces, without and with the DHT; shared by all wires. */
const BASIC = makeAnnounced(false)
const WITH_DHT = makeAnnounced(true)

/**
 * @typedef {object} Announced
 * @property {boolean} dht
 * @property {boolean} extended
 * @property {boolean} fast
 * @property {boolean} v2 - whether an upgrade to version 2 is offered
 * @property {Uint8Array | null} v2InfoHash - that of version 2 by which both sides may choose it, 20 bytes
 * @property {Uint8Array | null} reserved - all flags
 */

/**
 * @param {unknown} extensions - of the user
 * @param {boolean} isEcho - whether only `dht` counts
 * @param {Uint8Array | null} v2InfoHash - what the handshake has for an info hash, if that is of version 2
 * @returns {Announced}
 * @throws {TypeError | RangeError} when one has a wrong type, or not 8 reserved bytes
 */
function toAnnounced(extensions, isEcho, v2InfoHash) {
  const basic = extensions?.dht ? WITH_DHT : BASIC
  if (isEcho || typeof extensions !== 'object' || extensions === null)
    return v2InfoHash === null ? basic : { ...basic, v2InfoHash }
  const announced = { ...basic, v2InfoHash }
  for (const name of ['extended', 'fast']) {
    const value = extensions[name] ?? basic[name]
    checkBoolean(`extensions.${name}`, value)
    announced[name] = value
  }
  const v2 = extensions.v2 ?? basic.v2
  announced.v2 = isHash(v2) || v2
  if (isHash(v2)) announced.v2InfoHash = toV2(v2, v2InfoHash)
  else checkBoolean('extensions.v2', v2)
  const reserved = extensions.reserved ?? null
  if (reserved !== null) announced.reserved = toReserved(reserved)
  return announced
}

function makeAnnounced(dht) {
  return { dht, extended: true, fast: false, v2: false, v2InfoHash: null, reserved: null }
}

function isHash(value) {
  return typeof value === 'string' || isUint8Array(value)
}

/** Only one info hash of version 2 belongs to a torrent. */
function toV2(value, other) {
  let v2InfoHash
  try {
    v2InfoHash = toOwnInfoHash('extensions.v2', value)
  } catch (cause) {
    throw new RangeError('extensions.v2 must be a boolean or an info hash', { cause })
  }
  if (other !== null && !v2InfoHash.equals(other))
    throw new RangeError('extensions.v2 must be infoHash if both are of version 2')
  return v2InfoHash
}

function toReserved(value) {
  const bytes = toBytes('extensions.reserved', value)
  if (byteLength(bytes) !== RESERVED_LENGTH)
    throw new RangeError(`extensions.reserved must have ${RESERVED_LENGTH} bytes`)
  return bytes
}

module.exports = { toAnnounced }
