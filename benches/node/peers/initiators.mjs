// The far end of many exchanges at once: once all connections are made, it begins an exchange on each.
import { once } from 'node:events'
import { encryption, INITIATOR } from '../../../testkit/encryption.mjs'
import { serve } from './serve.mjs'

serve((task, report) => {
  const sockets = []
  return (socket) => {
    sockets.push(socket)
    if (sockets.length === task.connections) beginAll(sockets, report)
  }
})

async function beginAll(sockets, report) {
  for (const socket of sockets) socket.cork()
  const streams = sockets.map((socket) =>
    encryption.wrap(socket, { ...INITIATOR, mode: 'require' })
  )
  for (const socket of sockets) socket.uncork()
  const outcomes = await Promise.all(streams.map((stream) => once(stream, 'encryption')))
  report({ agreed: outcomes.filter(([{ method }]) => method === 'rc4').length })
}
