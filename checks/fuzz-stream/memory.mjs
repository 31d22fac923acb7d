// Memory that is lent to a wire, in chunks and in blocks, and how a user takes it away.

/** Bytes that a resizable memory can have, for each of those that it has at first. */
const ROOM = 2

/** Of Node's pool, if it is small, and such as can be taken away. */
const MEMORIES = [
  (bytes) => Buffer.from(bytes),
  (bytes) => fill(new ArrayBuffer(bytes.length), bytes),
  (bytes) => fill(new ArrayBuffer(bytes.length, { maxByteLength: bytes.length * ROOM }), bytes)
]

/** The same bytes in other memory. */
const lend = (bytes, random) => random.pick(MEMORIES)(bytes)

/** Newest ones that a user takes the memory of. */
const MANY = 5

/** What a user has given to a wire, and got from it. */
export class Belongings {
  #random
  #chunks = []
  #blocks = [] // that came
  #sent = [] // blocks
  #memories = new WeakSet() // of chunks, and of blocks that must not share them

  constructor(random) {
    this.#random = random
  }

  /** @returns {Buffer} the bytes of a chunk, to be given to a wire */
  lendChunk(bytes) {
    const chunk = lend(bytes, this.#random)
    this.#memories.add(chunk.buffer)
    this.#chunks.push(chunk)
    return chunk
  }

  /** @returns {Buffer} likewise of a block */
  lendBlock(bytes) {
    const block = lend(bytes, this.#random)
    this.#sent.push(block)
    return block
  }

  /**
   * @param {Buffer} block which the callback of a request and the event have both
   * @param {boolean} isCopied it must have memory of its own
   * @returns {boolean} whether it has what it must have
   */
  keep(block, isCopied) {
    if (this.#blocks.at(-1) === block) return true
    this.#blocks.push(block)
    const isShared = isCopied && this.#memories.has(block.buffer)
    if (isCopied) this.#memories.add(block.buffer)
    return !isShared
  }

  /** @returns {Buffer | undefined} some block that came, or some chunk */
  pickInput() {
    return this.#random.pick([...this.#blocks.slice(-MANY), ...this.#chunks.slice(-MANY)])
  }

  /** @returns {Buffer | undefined} some block that was sent */
  pickOutput() {
    return this.#random.pick(this.#sent.slice(-MANY))
  }
}

/**
 * Transfers memory to somebody else, or resizes it.
 *
 * @param {ArrayBuffer} memory
 * @param {object} random
 * @returns {boolean} whether it has changed: some may not be transferred
 */
export function lose(memory, random) {
  const before = memory.byteLength
  if (memory.resizable) resize(memory, random)
  else transfer(memory)
  return memory.byteLength !== before
}

/** Only once: no length tells that memory has shrunk and grown again. */
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
    // It is marked as untransferable, as what many Buffers are cut from.
    if (error.name !== 'DataCloneError') throw error
  }
}
