// Ends wires through proxies and has them collected. Needs --expose-gc.
import assert from 'node:assert'
import { frame } from '../messages.mjs'
import { PROXIES } from './proxies.mjs'
import { greeted, settled } from '../wires.mjs'

/**
 * Ends wires through proxies, has them collected, and checks that wires made afterwards keep their
 * slots.
 *
 * @param {number} kind - index in PROXIES
 */
export const endThroughProxies = async (kind) => {
  const make = Object.values(PROXIES)[kind]
  const alive = []
  for (let round = 0; round < 6; round++) {
    for (let count = 0; count < 5; count++) make(greeted()).destroy()
    // oxlint-disable-next-line no-await-in-loop
    await settled()
    // They reuse the slots of the ended wires.
    for (let count = 0; count < 5; count++) alive.push(greeted())
    // oxlint-disable-next-line no-await-in-loop
    await collect()
  }
  for (const [index, wire] of alive.entries()) checkAlive(wire, index)
}

const collect = async () => {
  for (let round = 0; round < 3; round++) {
    globalThis.gc()
    // oxlint-disable-next-line no-await-in-loop
    await settled()
  }
}

/** Checks that the wire receives from its own peer and sends its own messages. */
const checkAlive = (wire, index) => {
  const pieces = []
  wire.on('have', (piece) => pieces.push(piece))
  wire.write(frame(4, index))
  wire.have(index + 100)
  assert.deepStrictEqual(pieces, [index])
  assert(wire.read().equals(frame(4, index + 100)))
  wire.destroy()
  assert(wire.destroyed)
}
