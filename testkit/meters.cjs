// Runs the speed meter of a wire that receives blocks under a fake clock, and prints its values. Runs as a
// process of its own, because a meter that never stops would hang it. Argument: the option `speed` as JSON.
'use strict'

const ticks = []

// One tick for all meters of the process, every quarter of a second.
globalThis.setInterval = (tick) => {
  ticks.push(tick)
  return { unref() {} }
}

const pwp = require('../index.js')

const BLOCK_LENGTH = 1000

/** A message with an unsolicited block of zeroes. */
const PIECE = Buffer.alloc(4 + 9 + BLOCK_LENGTH)
PIECE.writeUInt32BE(9 + BLOCK_LENGTH)
PIECE[4] = 7

function pass(seconds) {
  for (let left = seconds * 4; left > 0; left--) ticks.forEach((tick) => tick())
}

function main(speed) {
  const wire = pwp({ speed })
  wire.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(48)]))
  const bursts = [0, 0.25, 1, 0.5, 1.25, 7, 100, 0.75, 20_000].map((idle) => {
    pass(idle)
    wire.write(PIECE)
    return wire.downloadSpeed()
  })
  // Four blocks per second, for longer than the averaging window.
  const window = speed || 5
  for (let passed = 0; passed <= window; passed += 0.25) {
    pass(0.25)
    wire.write(PIECE)
  }
  const steady = wire.downloadSpeed()
  pass(Math.ceil(window))
  process.stdout.write(JSON.stringify({ bursts, steady, idle: wire.downloadSpeed() }))
}

main(JSON.parse(process.argv[2]))
