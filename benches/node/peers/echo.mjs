// The far end of lone messages: a bare socket that sends each chunk back, after a handshake of its own.
import { handshake, HANDSHAKE_LEN } from '../../../testkit/frames.mjs'
import { serve } from './serve.mjs'

serve((task, report) => (socket) => {
  let skip = HANDSHAKE_LEN
  let bytes = 0
  socket.write(handshake())
  socket.on('data', (chunk) => {
    const skipped = Math.min(skip, chunk.length)
    skip -= skipped
    if (skipped < chunk.length) socket.write(chunk.subarray(skipped))
    bytes += chunk.length - skipped
  })
  socket.on('close', () => report({ bytes }))
})
