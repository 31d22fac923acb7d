// Peers that connect at the same time, encrypt and greet: node callers.mjs PORT INFOHASH COUNT
//
// Prints how many handshakes came back.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { encryption } from '../../../testkit/encryption.mjs'
import { encodeHandshake } from '../../../testkit/messages.mjs'

const [port, hex, count] = process.argv.slice(2)
const infoHash = Buffer.from(hex, 'hex')
const calls = Array.from({ length: Number(count) }, (_, number) => call(number))
const answers = await Promise.all(calls)
console.log(JSON.stringify({ agreed: answers.filter(Boolean).length }))
process.exit()

async function call(number) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  // The last ones wait until all others have been answered.
  const timeout = 100_000
  const stream = encryption.wrap(socket, { role: 'initiator', infoHash, mode: 'require', timeout })
  const [{ method }] = await once(stream, 'encryption')
  const peerId = Buffer.from(`-BE0001-${String(number).padStart(12, '0')}`)
  stream.write(encodeHandshake({ reserved: [0, 0, 0, 0, 0, 0x10, 0, 4], infoHash, peerId }))
  const [answer] = await once(stream, 'data')
  return method === 'rc4' && answer.length >= 68
}
