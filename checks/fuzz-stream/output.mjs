// The expected output of a wire: frames in the order of the calls that send them, including blocks whose
// memory the user may take away before they have left.

/** Bytes of a piece message before its block. */
const HEAD_LENGTH = 13

/** Bytes of a handshake, which begins with the length of the name of its protocol. */
const HANDSHAKE_LENGTH = 68
const NAME_LENGTH = 19

const REJECT = 16

/**
 * Separates the rejects from what is sent otherwise: a wire sends most of them by itself.
 *
 * @param {Buffer} bytes that were read, from the first one on
 * @returns {{rest: Buffer, rejects: string[]}} `rejects`: piece, offset and length of each
 */
export function splitRejects(bytes) {
  const rest = []
  const rejects = []
  let at = 0
  while (at < bytes.length) {
    const isHandshake = bytes[at] === NAME_LENGTH
    const isCut = !isHandshake && bytes.length < at + 5
    const length = isHandshake || isCut ? HANDSHAKE_LENGTH : 4 + bytes.readUInt32BE(at)
    const frame = bytes.subarray(at, at + length)
    if (!isHandshake && !isCut && frame[4] === REJECT && length === frame.length)
      rejects.push([5, 9, 13].map((place) => frame.readUInt32BE(place)).join())
    else rest.push(frame)
    at += length
  }
  return { rest: Buffer.concat(rest), rejects }
}

/**
 * @typedef {object} Frame
 * @property {Buffer} bytes
 * @property {Buffer | null} block in the frame, as passed to the wire
 */

export class Output {
  unpaced = 0 // bytes that no limit holds back
  length = 0
  #frames = []
  #promises = [] // blocks passed to the wire but not yet reported by `'upload'`, the innermost last

  /** @param {Buffer} bytes of a frame */
  expect(bytes, unpaced = bytes.length) {
    this.#add({ bytes, block: null }, unpaced)
  }

  /**
   * Call before a block is sent: messages that listeners of `'upload'` send go before it.
   *
   * @param {Buffer} bytes of its frame
   * @param {Buffer} block as it is passed to the wire
   */
  promise(bytes, block) {
    this.#promises.push({ bytes, block })
  }

  /**
   * Call on `'upload'` of a block. If a listener throws, the block is not sent.
   *
   * @param {number} length of the block
   * @returns {Frame | null} the last promised frame, if the length matches
   */
  takePromise(length) {
    const frame = this.#promises.pop() ?? null
    return frame?.bytes.length === length + HEAD_LENGTH ? frame : null
  }

  /** @param {Frame} frame of a block that is sent now */
  keepPromise(frame) {
    this.#add(frame, HEAD_LENGTH)
  }

  #add({ bytes, block }, unpaced) {
    this.unpaced += unpaced
    this.length += bytes.length
    const isLost = block !== null && block.length !== bytes.length - HEAD_LENGTH
    this.#frames.push({ bytes, memory: block?.buffer, end: this.length, isLost })
  }

  /** Notes that memory has changed after so many bytes were read. */
  noteLoss(memory, read) {
    for (const frame of this.#frames) {
      if (frame.memory === memory && frame.end > read) frame.isLost = true
    }
  }

  /** Whether a block is lost that may not have left yet. */
  get hasLost() {
    return this.#frames.some(({ isLost }) => isLost)
  }

  /**
   * Whether these, without rejects, are all bytes or, if the wire has failed, those before a lost block, of which a reader
   * may have received the head.
   *
   * @param {Buffer} read
   * @param {boolean} mayBeCut
   */
  equals(read, mayBeCut) {
    const all = this.bytes
    const ends = [all.length]
    if (mayBeCut) {
      for (const { bytes, end, isLost } of this.#frames) {
        const start = end - bytes.length
        if (isLost) ends.push(start, start + HEAD_LENGTH)
      }
    }
    return ends.some((end) => all.subarray(0, end).equals(read))
  }

  get bytes() {
    return Buffer.concat(this.#frames.map(({ bytes }) => bytes))
  }
}
