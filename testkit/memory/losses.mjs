// Places bytes lent to a wire in memory of their own, and takes that memory away.
import { frame } from '../messages.mjs'

/** Kinds of memory, each with a way to take it away. */
export const LOSSES = {
  transferred: {
    lend: (bytes) => Buffer.from(new Uint8Array(bytes).buffer),
    lose: (view) => structuredClone(view, { transfer: [view.buffer] })
  },
  shrunk: {
    lend: (bytes) => fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length }), bytes),
    lose: (view) => view.buffer.resize(Math.floor(view.buffer.byteLength / 3))
  },
  'shrunk to nothing': {
    lend: (bytes) =>
      fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length * 2 }), bytes),
    lose: (view) => view.buffer.resize(0)
  }
}

const fill = (memory, bytes) => {
  const chunk = Buffer.from(memory)
  chunk.set(bytes)
  return chunk
}

/** A block whose content identifies its piece. */
export const blockOf = (piece, length) => Buffer.alloc(length, piece + 1)

/** Piece messages with one block of each of so many pieces. */
export const blocks = (count, length) =>
  Array.from({ length: count }, (_, piece) => frame(7, piece, 0, blockOf(piece, length)))
