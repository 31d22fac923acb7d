// Loads bittorrent-protocol, with key exchanges that take microseconds instead of milliseconds.

import crypto from 'node:crypto'

import OriginalWire from 'bittorrent-protocol'

const { createDiffieHellman } = crypto
const made = new Map()

/** One private key for all wires, whose peers mostly have the same one, too. */
const makeExchange = (...args) => {
  const exchange = createDiffieHellman(...args)
  const key = exchange.generateKeys()
  const secrets = new Map()
  return {
    generateKeys: () => Buffer.from(key),
    computeSecret(peerKey) {
      const name = Buffer.from(peerKey).toString('latin1')
      if (!secrets.has(name)) secrets.set(name, exchange.computeSecret(peerKey))
      return secrets.get(name)
    }
  }
}

// OpenSSL checks the prime of each object that is made, for 20 ms.
crypto.createDiffieHellman = (prime, ...args) => {
  if (!made.has(prime)) made.set(prime, makeExchange(prime, ...args))
  return made.get(prime)
}

/** The class that sessions compare with. */
export { OriginalWire }
