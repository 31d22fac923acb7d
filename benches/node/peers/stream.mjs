// The far end of the TCP rows: a bare socket that sends or requests as many blocks as its task says.
import { comparing } from '../drive.mjs'
import { encryption } from '../../../testkit/encryption.mjs'
import {
  handshake,
  HANDSHAKE_LEN,
  INFO_HASH,
  interested,
  unchoke
} from '../../../testkit/frames.mjs'
import { OUTSTANDING, TAPE_BLOCKS } from '../workloads/blocks.mjs'
import { tapePieces, tapeRequests, tapeSender } from '../workloads/blocks.mjs'
import { serve } from './serve.mjs'

/**
 * Blocks that must arrive before the requesting role sends as many new requests. If it sent them one by
 * one, the faster of two sides would get fewer requests at a time and so look more expensive. The sending
 * role cannot batch: its requests arrive in small segments, and the kernel sends one only after the
 * previous one is acknowledged.
 */
const ASKED_TOGETHER = 16
/** Bytes before the first request or piece: a handshake and a message without fields. */
const PRELUDE_LEN = HANDSHAKE_LEN + 5

const roles = {
  feeder: { hello: unchoke(), out: tapePieces(), expects: tapeRequests(), credit: 0, step: 1 },
  asker: {
    hello: interested(),
    out: tapeRequests(),
    expects: tapePieces(),
    credit: OUTSTANDING,
    step: ASKED_TOGETHER
  }
}

serve(
  (task, sendReport) => (socket) =>
    exchange(
      task.isEncrypted ? encrypted(socket) : socket,
      { ...task, ...roles[task.role] },
      sendReport
    )
)

const encrypted = (socket) =>
  encryption.wrap(socket, { role: 'responder', mode: 'require', infoHashes: INFO_HASH })

/**
 * Sends a frame for each one received: pieces for requests, or requests for pieces, of which `credit`
 * are sent in advance. Reports when all have arrived, or when the connection ends.
 */
function exchange(socket, { hello, out, expects, credit, step, count, compare }, sendReport) {
  const { length } = expects[0]
  const expected = PRELUDE_LEN + count * length
  const compared = compare ? comparing((n) => expects[n % TAPE_BLOCKS]) : null
  const send = tapeSender(socket, out)
  let bytes = 0
  let reported = false

  socket.on('close', report)
  socket.write(Buffer.concat([handshake(), hello]))
  socket.on('data', (chunk) => {
    compared?.write(chunk.subarray(Math.max(0, PRELUDE_LEN - bytes)))
    bytes += chunk.length
    const arrived = Math.floor((bytes - PRELUDE_LEN) / length)
    if (arrived >= 0) send(Math.min(count, arrived - (arrived % step) + credit))
    if (bytes >= expected) report()
  })

  function report() {
    if (!reported) sendReport({ bytes, expected, wrong: compared?.wrong ?? 0 })
    reported = true
  }
}
