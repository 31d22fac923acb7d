// How the side under test receives and serves blocks over a socket, and what both ends agree on.
import { createConnection } from 'node:net'
import {
  blockOf,
  BLOCK_LEN,
  numberAt,
  numberIn,
  pieceOf,
  placeOf,
  requestOf
} from '../../../testkit/frames.mjs'

/** Distinct blocks, after which they repeat. */
export const TAPE_BLOCKS = 1_024
/** Requests that each end of a long connection keeps open. */
export const OUTSTANDING = 64

/** Requests that each end of one of many connections keeps open. */
export const FEW_OUTSTANDING = 8
/**
 * Blocks that must arrive on one of many connections before the far end requests as many again. If it
 * requested them one by one, the faster of two sides would get fewer requests at a time and so look
 * more expensive.
 */
export const FEW_TOGETHER = 4

const tapeOf = (make) => () => Array.from({ length: TAPE_BLOCKS }, (_, n) => make(n))
const tapeBlocks = tapeOf(blockOf)
export const tapePieces = tapeOf(pieceOf)
export const tapeRequests = tapeOf(requestOf)

/** What a library answers with, or a bare socket sends. */
export const tapesOf = ({ create }) =>
  create ? { blocks: tapeBlocks() } : { pieces: tapePieces(), requests: tapeRequests() }

/** @returns {import('node:net').Socket} a new connection, set up as users do */
export const connect = (port) => createConnection({ port, host: '127.0.0.1' })

/** Pipes both ways, as users do. */
export function join(socket, wire) {
  socket.pipe(wire).pipe(socket)
  socket.once('close', () => wire.destroy())
}

/**
 * Requests blocks once unchoked; each callback requests the next one.
 * @param {import('node:stream').Duplex} wire
 * @param {object} task
 * @param {number} task.count blocks
 * @param {number} task.outstanding requests to keep open
 * @param {Buffer[]} task.blocks of the tape
 * @param {boolean} task.compare every byte, instead of only the number of each block
 * @param {{ count: number, wrong: number }} [task.outcome] to be kept up to date
 * @param {Buffer[]} [task.memory] to receive blocks into, in turn
 * @param {(block: Buffer, n: number) => void} [task.onBlock] called with each
 * @param {(count: number) => void} [task.onCount] called with the number of blocks received
 * @returns {Promise<{ count: number, wrong: number }>} settles at the last block
 */
export function takeBlocks(
  wire,
  { count, outstanding, blocks, compare, memory, onBlock = ignore, onCount = ignore, ...task }
) {
  const { outcome = { count: 0, wrong: 0 } } = task
  let issued = 0
  return new Promise((resolve, reject) => {
    wire.once('unchoke', () => {
      while (issued < outstanding) requestNext()
    })

    function requestNext() {
      const { piece, offset } = placeOf(issued % TAPE_BLOCKS)
      if (memory) {
        const into = memory[issued % memory.length]
        wire.request(piece, offset, BLOCK_LEN, { into }, take)
      } else {
        wire.request(piece, offset, BLOCK_LEN, take)
      }
      issued++
    }

    function take(error, block) {
      if (error) return reject(error)
      const n = outcome.count++
      const expected = n % TAPE_BLOCKS
      if (numberIn(block) !== expected) outcome.wrong++
      if (memory && block.buffer !== memory[n % memory.length].buffer) outcome.wrong++
      onBlock(block, n)
      if (compare && blocks[expected].compare(block) !== 0) outcome.wrong++
      if (issued < count) requestNext()
      onCount(outcome.count)
      if (outcome.count === count) resolve(outcome)
    }
  })
}

/**
 * Answers each request at once.
 * @param {import('node:stream').Duplex} wire
 * @param {{ blocks: Buffer[], onCount?: (count: number) => void }} task
 * @returns {{ count: number, wrong: number }} updated with each request
 */
export function giveBlocks(wire, { blocks, onCount = ignore }) {
  const outcome = { count: 0, wrong: 0 }
  wire.on('request', (piece, offset, length, respond) => {
    outcome.count++
    if (length !== BLOCK_LEN) outcome.wrong++
    respond(null, blocks[numberAt(piece, offset)])
    onCount(outcome.count)
  })
  return outcome
}

/**
 * Sends frames of a tape in as few writes as possible.
 * @param {import('node:net').Socket} socket
 * @param {Buffer[]} frames all of the same length
 * @returns {(until: number) => void} sends up to this frame, starting where the last call stopped
 */
export function tapeSender(socket, frames) {
  const tape = Buffer.concat(frames)
  const { length } = frames[0]
  let sent = 0
  return (until) => {
    while (sent < until) {
      const from = sent % TAPE_BLOCKS
      const count = Math.min(until - sent, TAPE_BLOCKS - from)
      socket.write(tape.subarray(from * length, (from + count) * length))
      sent += count
    }
  }
}

function ignore() {}
