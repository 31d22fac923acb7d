// Memory of its own for bytes that are lent to a wire, and ways to take it away.
import { frame } from '../messages.mjs'

/** Memory for bytes, and how to take that away. */
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

/** A block that tells pieces apart. */
export const blockOf = (piece, length) => Buffer.alloc(length, piece + 1)

/** Messages with the blocks of so many pieces. */
export const blocks = (count, length) =>
  Array.from({ length: count }, (_, piece) => frame(7, piece, 0, blockOf(piece, length)))
