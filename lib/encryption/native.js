// The entries of the addon for encryption, as functions. See src/binding/encryption.rs.
'use strict'

const { addon, memory, numbers, record, NO_SLOT } = require('../native.js')

const { ExchangePart, ExchangeState } = addon
const { maxPayload, randomness, room } = addon.exchangeLayout()

/** Takes what the addon gives of an exchange. Made here, as V8 has to allocate memory to lend out a small Buffer. */
const scratch = Buffer.allocUnsafeSlow(room)

function call(entry, slot, buffer) {
  numbers[0] = NO_SLOT
  numbers[1] = slot
  return entry(memory, buffer)
}

const native = {
  /**
   * @param {number[]} methods - their bits, preferred ones first
   * @param {boolean} acceptsPlain
   * @param {Buffer} bytes - randomness, and for an initiator the info hash and the payload
   * @returns {number} a slot
   */
  begin(isInitiator, [first, second = 0], acceptsPlain, bytes) {
    numbers[2] = first
    numbers[3] = second
    numbers[4] = +acceptsPlain
    return call(addon.beginExchange, +isInitiator, bytes)
  },
  release: (slot) => call(addon.releaseEncryption, slot),
  /** Reads from `at` on; then {@link endOfReading} says up to where. */
  receive(slot, at, chunk) {
    numbers[2] = at
    return call(addon.receiveExchange, slot, chunk)
  },
  endOfReading: () => record[0],
  answer: (slot, infoHash) => call(addon.answerExchange, slot, infoHash) === 1,
  refuse: (slot) => call(addon.refuseExchange, slot),
  end: (slot) => call(addon.endExchange, slot),
  /** @returns {Buffer} a part of an exchange, only until the next call */
  read(slot, part) {
    numbers[2] = part
    return scratch.subarray(0, call(addon.readExchange, slot, scratch))
  },
  /**
   * Enciphers or deciphers a chunk into other memory.
   *
   * @returns {number} its length, or less if memory was taken away
   */
  apply(slot, isReceived, chunk, start, target) {
    numbers[0] = NO_SLOT
    numbers[1] = slot
    numbers[2] = isReceived
    numbers[3] = start
    return addon.applyCipher(memory, chunk, target)
  },
  obfuscatedHashes: addon.obfuscatedHashes
}

module.exports = {
  native,
  ExchangePart,
  ExchangeState,
  MAX_PAYLOAD: maxPayload,
  RANDOMNESS_LENGTH: randomness
}
