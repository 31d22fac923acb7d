// The far end of the row with blocks both ways: a bare socket that reads frames, answers requests,
// and requests as many blocks itself.
import {
  handshake,
  HANDSHAKE_LEN,
  interested,
  pieceOf,
  requestOf,
  unchoke
} from '../../../testkit/frames.mjs'
import { FEW_TOGETHER } from '../workloads/blocks.mjs'
import { serve } from './serve.mjs'

const [UNCHOKE, REQUEST, PIECE] = [1, 6, 7]
const hello = Buffer.concat([handshake(), interested(), unchoke()])

serve((task, report) => {
  const pieces = Array.from({ length: task.count }, (_, n) => pieceOf(n))
  const requests = Array.from({ length: task.count }, (_, n) => requestOf(n))
  const outcome = { taken: 0, given: 0, wrong: 0 }
  const total = task.connections * task.count
  return (socket) => exchange(socket, { ...task, pieces, requests, outcome, onCount })

  function onCount() {
    if (outcome.taken === total && outcome.given === total) report(outcome)
  }
})

function exchange(socket, { outstanding, pieces, requests, outcome, onCount }) {
  let issued = 0
  let taken = 0
  let given = 0
  const handlers = { [UNCHOKE]: ask, [REQUEST]: give, [PIECE]: take }
  const read = frameReader((frame) => handlers[frame[4]]?.(frame))
  socket.write(hello)
  socket.on('data', (chunk) => {
    socket.cork()
    read(chunk)
    socket.uncork()
  })

  function ask() {
    const until = Math.min(taken - (taken % FEW_TOGETHER) + outstanding, requests.length)
    while (issued < until) socket.write(requests[issued++])
  }

  function give(frame) {
    if (!frame.equals(requests[given])) outcome.wrong++
    socket.write(pieces[given++])
    outcome.given++
    onCount()
  }

  function take(frame) {
    if (!frame.equals(pieces[taken++])) outcome.wrong++
    outcome.taken++
    ask()
    onCount()
  }
}

/** Cuts a stream into whole frames, after the handshake. */
function frameReader(onFrame) {
  let rest = Buffer.alloc(0)
  let skip = HANDSHAKE_LEN
  return (chunk) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    const skipped = Math.min(skip, rest.length)
    skip -= skipped
    let at = skipped
    while (rest.length - at >= 4) {
      const end = at + 4 + rest.readUInt32BE(at)
      if (end > rest.length) break
      onFrame(rest.subarray(at, end))
      at = end
    }
    rest = rest.subarray(at)
  }
}
