// Reads the recorded sessions of tests/captures, whose README describes the format.
import { readFileSync, readdirSync } from 'node:fs'

const FOLDER = new URL('../tests/captures/', import.meta.url)

/** Bytes of the content that each session transfers. */
const CONTENT_LENGTH = 200_000
const LINE_LENGTH = 16
const PIECE_LENGTH = 32 * 1024

/**
 * One connection between two real clients.
 *
 * @typedef {object} Session
 * @property {string} name
 * @property {{side: 'a' | 'b', chunks: Buffer[]}[]} turns what one side sent before the other
 *   continued, in chunks as the socket delivered them
 */

/**
 * @returns {Session[]} all of them, by name
 */
export const readSessions = () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'))
  return files.toSorted().map((file) => {
    const lines = readFileSync(new URL(file, FOLDER), 'latin1').trim().split('\n')
    const chunks = lines.filter((line) => !line.startsWith('#')).map(readChunk)
    return { name: file.slice(0, -'.txt'.length), turns: inTurns(chunks) }
  })
}

/**
 * A block of the content.
 *
 * @param {number} piece
 * @param {number} offset
 * @param {number} length
 * @returns {Buffer} shorter at the end of the content
 */
export const contentAt = (piece, offset, length) => {
  const start = piece * PIECE_LENGTH + offset
  return content.subarray(start, start + length)
}

const inTurns = (chunks) => {
  const turns = []
  for (const { side, bytes } of chunks) {
    if (turns.at(-1)?.side === side) turns.at(-1).chunks.push(bytes)
    else turns.push({ side, chunks: [bytes] })
  }
  return turns
}

const readChunk = (line) => {
  const [direction, ...words] = line.split(' ')
  return { side: direction[0], bytes: Buffer.concat(words.map(readWord)) }
}

const readWord = (word) => {
  if (!word.startsWith('@')) return Buffer.from(word, 'hex')
  const [offset, length] = word.slice(1).split('+').map(Number)
  return contentAt(0, offset, length)
}

const lines = Array.from({ length: CONTENT_LENGTH / LINE_LENGTH }, (_, line) =>
  `${line * LINE_LENGTH}\n`.padStart(LINE_LENGTH, '.')
)
const content = Buffer.from(lines.join(''))
