// The far end of whole pieces: a bare socket that reads requests of a torrent of any length, and answers each with the
// block of the tape at its place. It reports the bytes of requests, and how many of these are out of order.
import {
  BLOCK_LEN,
  handshake,
  HANDSHAKE_LEN,
  numberAt,
  placeOf,
  REQUEST_FRAME_LEN,
  unchoke
} from '../../../testkit/frames.mjs'
import { TAPE_BLOCKS, tapePieces } from '../workloads/blocks.mjs'
import { serve } from './serve.mjs'

const frames = tapePieces()
/** Bytes of a piece message before its block. */
const HEAD_LEN = frames[0].length - BLOCK_LEN
const bodies = frames.map((frame) => frame.subarray(HEAD_LEN))
/** Bytes before the first request: a handshake and 'interested'. */
const PRELUDE_LEN = HANDSHAKE_LEN + 5

serve((task, sendReport) => (socket) => answer(socket, sendReport))

function answer(socket, sendReport) {
  const outcome = { blocks: 0, wrong: 0 }
  let rest = Buffer.alloc(0)
  let skip = PRELUDE_LEN
  socket.on('close', () => sendReport(outcome))
  socket.write(Buffer.concat([handshake(), unchoke()]))
  socket.on('data', (chunk) => {
    const skipped = Math.min(skip, chunk.length)
    skip -= skipped
    const bytes = Buffer.concat([rest, chunk.subarray(skipped)])
    let at = 0
    socket.cork()
    for (; at + REQUEST_FRAME_LEN <= bytes.length; at += REQUEST_FRAME_LEN) {
      give(bytes.subarray(at, at + REQUEST_FRAME_LEN))
    }
    socket.uncork()
    rest = bytes.subarray(at)
  })

  function give(frame) {
    const n = numberAt(frame.readUInt32BE(5), frame.readUInt32BE(9))
    const expected = placeOf(outcome.blocks)
    if (frame[4] !== 6 || n !== numberAt(expected.piece, expected.offset)) outcome.wrong++
    if (frame.readUInt32BE(13) !== BLOCK_LEN) outcome.wrong++
    outcome.blocks++
    const head = Buffer.from(frames[n % TAPE_BLOCKS].subarray(0, HEAD_LEN))
    frame.copy(head, 5, 5, 13)
    socket.write(head)
    socket.write(bodies[n % TAPE_BLOCKS])
  }
}
