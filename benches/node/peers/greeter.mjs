// The far end of many connections: answers a handshake with the bytes of its task, and compares all
// input with what the task expects. The other end closes.
import { HANDSHAKE_LEN } from '../../../testkit/frames.mjs'
import { serve } from './serve.mjs'

serve((task, report) => {
  const answer = Buffer.from(task.answer, 'base64')
  const expected = Buffer.from(task.expected ?? '', 'base64')
  const outcome = { connections: 0, wrong: 0 }
  return (socket) => greet(socket, { answer, expected, onClose })

  function onClose(isRight) {
    outcome.connections++
    if (!isRight) outcome.wrong++
    if (outcome.connections === task.connections) report(outcome)
  }
})

function greet(socket, { answer, expected, onClose }) {
  let received = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    const had = received.length
    received = Buffer.concat([received, chunk])
    if (had < HANDSHAKE_LEN && received.length >= HANDSHAKE_LEN) socket.write(answer)
  })
  socket.on('close', () => onClose(received.equals(expected)))
}
