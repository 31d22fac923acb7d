// A peer that asks for much in one chunk, and reads nothing or late: native wires hold its requests as others do.
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { wireAndSocket } from '../testkit/native.mjs'
import { HANDSHAKE } from '../testkit/wires.mjs'

const KIB = 1024
const HEAD = 13
const COUNT = 200

/** What a request that waits counts besides. */
const COST = 192

for (const uploadBacklog of [1, 100 * KIB, 1024 * KIB]) {
  for (const length of [1, 5000, 128 * KIB]) {
    test(`holds requests for ${length} bytes at a backlog of ${uploadBacklog}`, async (t) => {
      const [wire, socket] = await wireAndSocket(t, { uploadBacklog })
      const answered = { count: 0, most: 0 }
      wire.on('request', (piece, offset, size, respond) => {
        answered.count++
        respond(null, Buffer.alloc(size, piece))
        answered.most = Math.max(answered.most, wire.bufferedAmount)
      })
      wire.unchoke()
      const requests = Array.from({ length: COUNT }, (_, piece) => frame(6, piece, 0, length))
      socket.pause()
      // In one chunk, behind the handshake.
      socket.write(Buffer.concat([HANDSHAKE, ...requests]))
      const total = COUNT * (length + HEAD)
      const room = uploadBacklog + COST + length + HEAD
      await heldOrAnswered(wire, answered)
      t.true(answered.most <= room, `${answered.most} of ${room}`)
      t.is(await receive(socket, total), total)
      t.is(answered.count, COUNT)
      t.true(answered.most <= room, `${answered.most} of ${room}`)
    })
  }
}

/** Waits until no further request is delivered. */
const heldOrAnswered = async (wire, answered) => {
  let before = -1
  while (answered.count !== before || answered.count === 0) {
    before = answered.count
    await new Promise((resolve) => setTimeout(resolve, 50)) // oxlint-disable-line no-await-in-loop -- until it is still
  }
}

/** Reads blocks, and the unchoke before them. */
const receive = async (socket, total) => {
  const UNCHOKE_LENGTH = 5
  let received = -UNCHOKE_LENGTH
  for await (const chunk of socket) {
    received += chunk.length
    if (received >= total) break
  }
  return received
}
