// Checks whether a client answers handshakes for a torrent.
import { once } from 'node:events'
import net from 'node:net'
import { pwp } from '../wires.mjs'

const PEER_ID = Buffer.from('-XX0001-123456789012')

/**
 * @param {number} port on 127.0.0.1
 * @param {Buffer} infoHash
 * @returns {Promise<boolean>} whether it answered a handshake with its own before closing
 */
export async function answersHandshake(port, infoHash) {
  const socket = net.connect(port, '127.0.0.1')
  const wire = pwp()
  socket.pipe(wire).pipe(socket)
  const closed = once(socket, 'close').then(
    () => false,
    () => false
  )
  wire.handshake(infoHash, PEER_ID)
  const isAnswered = await Promise.race([once(wire, 'handshake').then(() => true), closed])
  wire.destroy()
  socket.destroy()
  await closed
  return isAnswered
}
