// Keeps wires busy forever: pairs that request blocks from each other, piece after piece.
'use strict'

const BLOCK = Buffer.alloc(16 * 1024, 1)
const INFO_HASH = Buffer.alloc(20, 1)
const PEER_ID = Buffer.alloc(20, 2)
const PIPELINE = 4

/**
 * @param {Function} pwp - the package
 * @param {number} count - of wires, even
 * @param {() => void} onbusy - called once, when every wire has received a block
 * @returns {object[]} the wires
 */
function keepBusy(pwp, count, onbusy) {
  const wires = Array.from({ length: count }, () => pwp())
  let idle = count
  const onfirst = () => {
    if (--idle === 0) onbusy()
  }
  for (let i = 0; i < count; i += 2) {
    wires[i].pipe(wires[i + 1]).pipe(wires[i])
    for (const wire of [wires[i], wires[i + 1]]) start(wire, onfirst)
  }
  return wires
}

function start(wire, onfirst) {
  wire.on('request', (piece, offset, length, respond) => {
    // A turn of the event loop between two blocks, so that the rest of the process can run.
    setImmediate(respond, null, BLOCK)
  })
  wire.once('piece', onfirst)
  wire.on('unchoke', () => {
    for (let i = 0; i < PIPELINE; i++) request(wire, i)
  })
  wire.setKeepAlive(true)
  wire.setTimeout(60_000)
  wire.handshake(INFO_HASH, PEER_ID)
  wire.unchoke()
}

function request(wire, piece) {
  wire.request(piece, 0, BLOCK.length, (error) => {
    if (!error) request(wire, piece)
  })
}

module.exports = { keepBusy }
