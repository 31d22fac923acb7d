// What bare sockets do in the rows with connections: they move the same bytes both ways without parsing
// them, and so show the cost of everything but the protocol.
import {
  HANDSHAKE_LEN,
  handshake,
  interested,
  PIECE_FRAME_LEN,
  REQUEST_FRAME_LEN
} from '../../../testkit/frames.mjs'
import { unchoke } from '../../../testkit/frames.mjs'
import { FEW_TOGETHER, TAPE_BLOCKS, tapeSender } from './blocks.mjs'

/** Bytes in a message without fields. */
const PLAIN_LEN = 5

/** Counts received bytes and sends request bytes for them, one write per chunk. */
export function askFrames(socket, { count, outstanding, requests, onCount }) {
  const send = tapeSender(socket, requests)
  let bytes = -HANDSHAKE_LEN - PLAIN_LEN
  socket.write(Buffer.concat([handshake(), interested()]))
  return new Promise((resolve) => {
    socket.on('data', (chunk) => {
      bytes += chunk.length
      const taken = Math.floor(bytes / PIECE_FRAME_LEN)
      if (taken >= 0) send(Math.min(count, taken + outstanding))
      onCount(taken)
      if (taken === count) resolve({ count, wrong: 0 })
    })
  })
}

/** Counts request bytes and writes prebuilt frames, corked once per chunk of requests. */
export async function answerFrames(socket, { pieces, onCount, finished }) {
  let bytes = -HANDSHAKE_LEN - PLAIN_LEN
  let count = 0
  // A corked write ends in a short segment, which Nagle's algorithm would hold until the previous one
  // is acknowledged.
  socket.setNoDelay(true)
  socket.write(Buffer.concat([handshake(), unchoke()]))
  socket.on('data', (chunk) => {
    bytes += chunk.length
    socket.cork()
    while ((count + 1) * REQUEST_FRAME_LEN <= bytes) socket.write(pieces[count++ % TAPE_BLOCKS])
    socket.uncork()
    onCount(count)
  })
  await finished
  return { count, wrong: 0 }
}

/** Both directions at once: for every so many bytes received, it sends as many. */
export function exchangeFrames(socket, { count, outstanding, pieces, requests }) {
  let bytes = -HANDSHAKE_LEN - 2 * PLAIN_LEN
  let sent = 0
  const start = [handshake(), interested(), unchoke(), ...requests.slice(0, outstanding)]
  socket.write(Buffer.concat(start))
  return new Promise((resolve) => {
    socket.on('data', (chunk) => {
      bytes += chunk.length
      socket.cork()
      while ((sent + FEW_TOGETHER) * (REQUEST_FRAME_LEN + PIECE_FRAME_LEN) <= bytes) sendMore()
      socket.uncork()
      const outcome = { count: sent, wrong: 0 }
      if (sent === count) resolve({ taken: outcome, given: outcome })
    })
  })

  function sendMore() {
    for (const until = sent + FEW_TOGETHER; sent < until; sent++) {
      socket.write(pieces[sent])
      if (sent + outstanding < count) socket.write(requests[sent + outstanding])
    }
  }
}
