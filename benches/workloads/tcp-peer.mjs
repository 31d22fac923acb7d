// The far end of the TCP rows, a process of its own: a bare socket that feeds or asks for blocks.
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { comparing } from '../drive.mjs'
import { handshake, HANDSHAKE_LEN, interested, unchoke } from '../frames.mjs'
import { pieceOf, PIECE_FRAME_LEN, requestOf, REQUEST_FRAME_LEN } from '../frames.mjs'

/** Different blocks; then they come again. */
export const TAPE_BLOCKS = 1_024
/** Requests kept open at any time. */
export const OUTSTANDING = 64
/**
 * Blocks that must arrive before the asker sends as many new requests. One by one, the faster of
 * two sides would get fewer requests at a time and so look the dearer.
 */
const ASKED_TOGETHER = 16
/** Bytes before the first request or piece: a handshake and a message without fields. */
export const PRELUDE_LEN = HANDSHAKE_LEN + 5

if (process.argv[1] === fileURLToPath(import.meta.url)) main()

function main() {
  const pieces = Array.from({ length: TAPE_BLOCKS }, (_, n) => pieceOf(n))
  const requests = Array.from({ length: TAPE_BLOCKS }, (_, n) => requestOf(n))
  const tapes = {
    feeder: { out: Buffer.concat(pieces), outLength: PIECE_FRAME_LEN, inFrames: requests },
    asker: { out: Buffer.concat(requests), outLength: REQUEST_FRAME_LEN, inFrames: pieces }
  }
  let task
  const server = createServer((socket) => serve(socket, task, tapes[task.role]))
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
  process.on('disconnect', () => process.exit())
  process.on('message', (message) => {
    task = message
    process.send({ ready: true })
  })
}

/**
 * Sends a frame for each one that arrives: pieces for requests, or requests for pieces, of which
 * OUTSTANDING go ahead. Reports when all have arrived, or at the end of the connection.
 */
function serve(socket, { role, count, compare, unasked }, { out, outLength, inFrames }) {
  const inLength = inFrames[0].length
  const expected = unasked && role === 'feeder' ? 0 : PRELUDE_LEN + count * inLength
  const compared = compare && expected ? comparing((n) => inFrames[n % TAPE_BLOCKS]) : null
  const [credit, step] = role === 'asker' ? [OUTSTANDING, ASKED_TOGETHER] : [0, 1]
  let bytes = 0
  let sent = 0
  let reported = false

  socket.on('error', () => {})
  socket.on('close', report)
  socket.write(Buffer.concat([handshake(), role === 'feeder' ? unchoke() : interested()]))
  if (!expected) return stream(socket, { out, bytes: count * outLength })
  socket.on('data', (chunk) => {
    compared?.write(chunk.subarray(Math.max(0, PRELUDE_LEN - bytes)))
    bytes += chunk.length
    const arrived = Math.floor((bytes - PRELUDE_LEN) / inLength)
    if (arrived >= 0) send(Math.min(count, arrived - (arrived % step) + credit))
    if (bytes >= expected) report()
  })

  /** Sends up to frame number `until`, in slices of the tape as long as can be. */
  function send(until) {
    while (sent < until) {
      const from = sent % TAPE_BLOCKS
      const length = Math.min(until - sent, TAPE_BLOCKS - from)
      socket.write(out.subarray(from * outLength, (from + length) * outLength))
      sent += length
    }
  }

  function report() {
    if (!reported && process.connected)
      process.send({ bytes, expected, wrong: compared?.wrong ?? 0 })
    reported = true
  }
}

/** Sends `bytes` of the tape, again and again, as fast as the socket takes them. */
function stream(socket, { out, bytes }) {
  const SLICE = 512 * 1024
  let at = 0
  socket.on('drain', more)
  socket.resume()
  more()

  function more() {
    let flowing = true
    while (flowing && at < bytes) {
      const from = at % out.length
      const length = Math.min(SLICE, out.length - from, bytes - at)
      flowing = socket.write(out.subarray(from, from + length))
      at += length
    }
  }
}
