// The limit of the TCP rows: bare sockets that move the same bytes and understand none of them.
import { HANDSHAKE_LEN, handshake, pieceOf, PIECE_FRAME_LEN, unchoke } from '../frames.mjs'
import { REQUEST_FRAME_LEN } from '../frames.mjs'
import { PRELUDE_LEN, TAPE_BLOCKS } from './tcp-peer.mjs'

/** Counts what arrives; the peer streams without being asked. */
export function countBytes({ socket, count }) {
  const expected = HANDSHAKE_LEN + unchoke().length + count * PIECE_FRAME_LEN
  let bytes = 0
  return new Promise((resolve) => {
    socket.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes === expected) resolve({ count, wrong: 0 })
    })
  })
}

/** Counts request bytes and writes prebuilt frames, one cork to each chunk of requests. */
export async function answerFrames({ socket, finished }) {
  const frames = Array.from({ length: TAPE_BLOCKS }, (_, n) => pieceOf(n))
  let bytes = -PRELUDE_LEN
  let count = 0
  // A corked write ends in a short segment, which would wait for the acknowledgement of the last.
  socket.setNoDelay(true)
  socket.write(Buffer.concat([handshake(), unchoke()]))
  socket.on('data', (chunk) => {
    bytes += chunk.length
    socket.cork()
    while ((count + 1) * REQUEST_FRAME_LEN <= bytes) socket.write(frames[count++ % TAPE_BLOCKS])
    socket.uncork()
  })
  await finished
  return { count, wrong: 0 }
}
