// Checks whether a client answers handshakes for a torrent.
import { once } from 'node:events'
import net from 'node:net'
import { pwp } from '../wires.mjs'

const PEER_ID = Buffer.from('-XX0001-123456789012')

const isNot = () => false

/**
 * @param {number} port on 127.0.0.1
 * @param {Buffer} infoHash
 * @param {object} [options]
 * @param {boolean} [options.encrypted] whether ours is
 * @returns {Promise<boolean>} whether it answered a handshake with its own before closing
 */
export async function answersHandshake(port, infoHash, { encrypted = false } = {}) {
  const socket = net.connect(port, '127.0.0.1')
  const mode = encrypted ? 'require' : 'off'
  const wire = pwp({ encryption: { role: 'initiator', mode } })
  socket.pipe(wire).pipe(socket)
  const closed = once(socket, 'close').then(isNot, isNot)
  wire.handshake(infoHash, PEER_ID)
  const answered = once(wire, 'handshake').then(() => true, isNot)
  const isAnswered = await Promise.race([answered, closed])
  wire.destroy()
  socket.destroy()
  await closed
  return isAnswered
}
