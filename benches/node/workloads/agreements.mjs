// How each library makes two ends in memory that have agreed on RC4.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { INFO_HASH, pair } from '../../../testkit/encryption.mjs'

const { native } = createRequire(import.meta.url)('../../../lib/encryption/native.js')

/** The original does not encrypt. */
export const ENCRYPTING = ['ours', 'bittorrent-protocol']

/**
 * @typedef {object} Ends
 * @property {string} method
 * @property {(chunk: Buffer) => Uint8Array} encrypt at one end, into other memory
 * @property {(chunk: Buffer) => Uint8Array} decrypt at the other
 * @property {(chunk: Buffer, target: Buffer) => void} [apply] encrypts without the memory
 * @property {() => void} close
 *
 * @param {import('../libraries.mjs').Library} library
 * @returns {Promise<Ends>}
 */
export const agree = (library) =>
  library.name === 'ours' ? agreeOnStreams() : agreeOnWires(library)

async function agreeOnStreams() {
  const [a, b] = pair({ mode: 'require' }, { mode: 'require' })
  await Promise.all([once(a, 'encryption'), once(b, 'encryption')])
  return {
    method: b.encryption.method,
    encrypt: (chunk) => a._link.exchange.encrypt([chunk]),
    decrypt: (chunk) => b._link.exchange.decrypt(chunk),
    apply: (chunk, target) => native.apply(a._link.exchange.slot, 0, chunk, 0, target),
    close: () => a.destroy()
  }
}

async function agreeOnWires({ encrypting }) {
  const [a, b] = ['initiator', 'responder'].map((role) => start(encrypting, role))
  a.wire.pipe(b.wire).pipe(a.wire)
  const [method] = await Promise.all([b.agreed, a.agreed])
  return {
    method,
    encrypt: (chunk) => a.wire._encryptor.encrypt(chunk),
    decrypt: (chunk) => b.wire._encryptor.decrypt(chunk),
    close: () => {
      a.wire.destroy()
      b.wire.destroy()
    }
  }
}

/** @returns {{ wire: object, agreed: Promise<string> }} */
export function start(encrypting, role) {
  let wire
  const agreed = new Promise((resolve) => {
    wire = encrypting(role, INFO_HASH, resolve)
  })
  return { wire, agreed }
}
