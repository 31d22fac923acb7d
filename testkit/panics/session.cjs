// Wires with counted events, and a session between two of them that calls most of the addon.
'use strict'

const assert = require('node:assert')

const BLOCKS = [Buffer.alloc(16, 1), Buffer.alloc(16 * 1024, 2), Buffer.alloc(40 * 1024, 3)]
const ID = Buffer.alloc(20, 1)

/**
 * Counts the events at the end of a wire.
 *
 * @param {import('node:stream').Duplex} wire
 * @returns {import('node:stream').Duplex} the wire, with `ask` to request blocks, and `checkEnd` and
 *   `checkBroken` to check that each callback was called once and each end event emitted once
 */
function watch(wire) {
  const counts = { asked: 0, close: 0, error: 0 }
  const outcomes = []
  wire.resume()
  wire.on('close', () => counts.close++)
  wire.on('error', () => counts.error++)
  wire.ask = (count) => {
    counts.asked += count
    for (let piece = 0; piece < count; piece++) {
      wire.request(piece, 0, BLOCKS[piece].length, (error) => {
        if (outcomes.push(error) === counts.asked) wire.emit('answered')
      })
    }
  }
  wire.checkEnd = async () => {
    if (!wire.writableFinished) await new Promise((resolve) => wire.on('finish', resolve))
    assert.strictEqual(outcomes.length, counts.asked)
    assert.strictEqual(counts.close, 1)
    assert.strictEqual(counts.error, wire.error === null ? 0 : 1)
    if (wire.error !== null) assert.strictEqual(wire.error.code, 'ERR_PWP_INTERNAL')
  }
  wire.checkBroken = async () => {
    await wire.checkEnd()
    assert.notStrictEqual(wire.error, null)
    for (const error of outcomes) assert.strictEqual(error, wire.error)
  }
  return wire
}

/**
 * Connects two wires, which exchange blocks and end; a panic at any point ends both.
 *
 * @param {Function} pwp - the package
 * @param {object[]} [options] - of both
 */
async function meet(pwp, options = []) {
  const wires = makeWires(pwp, options)
  if (wires.length < 2) return
  const [leech, seed] = wires
  leech.pipe(seed).pipe(leech)
  leech.on('close', () => seed.destroy())
  seed.on('close', () => leech.destroy())
  leech.on('bitfield', () => leech.interested())
  leech.on('unchoke', () => {
    void leech.peerPieces
    leech.ask(BLOCKS.length)
    leech.cancel(2, 0, BLOCKS[2].length)
  })
  leech.on('answered', () => leech.destroy())
  seed.on('interested', () => seed.unchoke())
  seed.on('request', (piece, offset, length, respond) => respond(null, BLOCKS[piece]))
  for (const wire of wires) {
    wire.handshake(ID, ID)
    wire.extended(1, BLOCKS[0])
  }
  seed.bitfield(Buffer.of(0xe0))
  await Promise.all(wires.map((wire) => wire.checkEnd()))
  assert(wires.some((wire) => wire.error === null))
}

/** Fewer than two if creating one panics. */
function makeWires(pwp, options) {
  const wires = []
  try {
    while (wires.length < 2) wires.push(watch(pwp(options[wires.length])))
  } catch (error) {
    assert.strictEqual(error.code, 'ERR_PWP_INTERNAL')
    for (const wire of wires) wire.destroy()
  }
  return wires
}

module.exports = { meet, watch }
