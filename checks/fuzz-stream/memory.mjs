// Memory that is lent to a wire, in chunks and blocks, and the ways in which a user takes it away.

/** Maximum size of a resizable memory, as a multiple of its initial size. */
const ROOM = 2

/** Kinds of memory: Node's pool, if the bytes are few, and kinds that can be taken away. */
const MEMORIES = [
  (bytes) => Buffer.from(bytes),
  (bytes) => fill(new ArrayBuffer(bytes.length), bytes),
  (bytes) => fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length * ROOM }), bytes)
]

/** The same bytes in other memory. */
const lend = (bytes, random) => random.pick(MEMORIES)(bytes)

/** A user takes the memory only of this many of the newest. */
const MANY = 5

/** The chunks and blocks that a user has passed to a wire and received from it. */
export class Belongings {
  #random
  #chunks = []
  #blocks = [] // received
  #sent = [] // blocks sent
  #memories = new WeakSet() // of chunks, and of blocks that must not share them

  constructor(random) {
    this.#random = random
  }

  /** @returns {Buffer} the bytes of a chunk, to be written to a wire */
  lendChunk(bytes) {
    const chunk = lend(bytes, this.#random)
    this.#memories.add(chunk.buffer)
    this.#chunks.push(chunk)
    return chunk
  }

  /** @returns {Buffer} the bytes of a block, to be sent by a wire */
  lendBlock(bytes) {
    const block = lend(bytes, this.#random)
    this.#sent.push(block)
    return block
  }

  /**
   * @param {Buffer} block passed both to the callback of a request and to the event
   * @param {boolean} isCopied it must have memory of its own
   * @returns {boolean} whether that holds
   */
  keep(block, isCopied) {
    if (this.#blocks.at(-1) === block) return true
    this.#blocks.push(block)
    const isShared = isCopied && this.#memories.has(block.buffer)
    if (isCopied) this.#memories.add(block.buffer)
    return !isShared
  }

  /** @returns {Buffer | undefined} some received block or some chunk */
  pickInput() {
    return this.#random.pick([...this.#blocks.slice(-MANY), ...this.#chunks.slice(-MANY)])
  }

  /** @returns {Buffer | undefined} some sent block */
  pickOutput() {
    return this.#random.pick(this.#sent.slice(-MANY))
  }
}

/**
 * Transfers memory away, or resizes it.
 *
 * @param {ArrayBuffer} memory
 * @param {object} random
 * @returns {boolean} whether it has changed: some memory cannot be transferred
 */
export function lose(memory, random) {
  const before = memory.byteLength
  if (memory.resizable) resize(memory, random)
  else transfer(memory)
  return memory.byteLength !== before
}

/** Resizes only once: a length does not show that memory has shrunk and grown again. */
function resize(memory, random) {
  const { byteLength, maxByteLength } = memory
  if (byteLength * ROOM === maxByteLength) {
    memory.resize(random.pick([0, Math.floor(byteLength / 3), maxByteLength]))
  }
}

function fill(memory, bytes) {
  const view = Buffer.from(memory)
  view.set(bytes)
  return view
}

function transfer(memory) {
  try {
    structuredClone(memory, { transfer: [memory] })
  } catch (error) {
    // Node marks its pool as untransferable, because many Buffers share it.
    if (error.name !== 'DataCloneError') throw error
  }
}
