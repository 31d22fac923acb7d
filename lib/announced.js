// What a handshake announces, from the third argument of `wire.handshake()`.
'use strict'

const { byteLength, checkBoolean, toBytes } = require('./arguments.js')

/** Bytes of the reserved field. */
const RESERVED_LENGTH = 8

/** The flag of the extension protocol, BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>. */
const EXTENDED = { byte: 5, flag: 0x10 }

/** What peer-wire-protocol announces, without and with the DHT; shared by all wires. */
const BASIC = makeAnnounced(false)
const WITH_DHT = makeAnnounced(true)

/**
 * @param {unknown} extensions - of the user
 * @param {boolean} isEcho - whether only `dht` counts
 * @returns {{dht: boolean, extended: boolean, fast: boolean, v2: boolean, reserved: Uint8Array | null}}
 * @throws {TypeError | RangeError} when one has a wrong type, or not 8 reserved bytes
 */
function toAnnounced(extensions, isEcho) {
  const basic = extensions?.dht ? WITH_DHT : BASIC
  if (isEcho || typeof extensions !== 'object' || extensions === null) return basic
  const announced = { ...basic }
  for (const name of ['extended', 'fast', 'v2']) {
    const value = extensions[name] ?? basic[name]
    checkBoolean(`extensions.${name}`, value)
    announced[name] = value
  }
  const reserved = extensions.reserved ?? null
  if (reserved === null) return announced
  announced.reserved = toReserved(reserved)
  // It is announced all the same, so our extended handshake must follow.
  if ((announced.reserved[EXTENDED.byte] & EXTENDED.flag) !== 0) announced.extended = true
  return announced
}

function makeAnnounced(dht) {
  return { dht, extended: true, fast: false, v2: false, reserved: null }
}

function toReserved(value) {
  const bytes = toBytes('extensions.reserved', value)
  if (byteLength(bytes) !== RESERVED_LENGTH)
    throw new RangeError(`extensions.reserved must have ${RESERVED_LENGTH} bytes`)
  return bytes
}

module.exports = { toAnnounced }
