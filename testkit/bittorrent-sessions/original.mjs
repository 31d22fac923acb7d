// Loads bittorrent-protocol, with key exchanges that take microseconds instead of milliseconds.

import crypto from 'node:crypto'

import OriginalWire from 'bittorrent-protocol'

const { createDiffieHellman } = crypto
const made = new Map()

// OpenSSL checks the prime each time, for 20 ms: one object for each prime has one private key for all.
crypto.createDiffieHellman = (prime, ...args) => {
  if (!made.has(prime)) made.set(prime, createDiffieHellman(prime, ...args))
  return made.get(prime)
}

/** The class that sessions compare with. */
export { OriginalWire }
