// The cases of hostile-memory.mjs: what hostile peers send, and what the local user does meanwhile.
import { Buffer } from 'node:buffer'
import {
  INFO_HASH,
  PEER_ID,
  bitfield,
  have,
  message,
  random,
  request
} from '../../testkit/frames.mjs'

const KIB = 1024
const CHUNK_LENGTH = 64 * KIB

/** Above the largest torrent, and the most that our wire accepts. */
const PIECES = 4 * KIB * KIB

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {() => Iterable<Buffer>} input chunks of the peer after its handshake
 * @property {(wire: object) => void} [use] what the local user does
 * @property {boolean} [isFast] both sides ask for the fast extension, which the original does not know
 * @property {number} [wires] number of wires that get this input, one by one; default 1
 * @property {number} [cut] bytes received at a time; default: whole chunks
 * @property {number} [most] MiB that our wire may hold outside of the JavaScript heap at any time,
 *   and in total at the end
 */

/** @type {Case[]} */
export const cases = [
  neverReading(16 * KIB, 'at once', (answer) => answer()),
  neverReading(16 * KIB, 'a turn later', setImmediate),
  neverReading(128 * KIB, 'at once', (answer) => answer()),
  neverReading(128 * KIB, 'a turn later', setImmediate),
  ...[1, 7, 100, 1000].flatMap((length) => [
    neverReading(length, 'at once', (answer) => answer()),
    neverReading(length, 'a turn later', setImmediate),
    neverReading(length, 'at once, asked one by one', (answer) => answer(), 17)
  ]),
  {
    name: '1,000,000 requests that are never answered',
    most: 2,
    use: (wire) => wire.unchoke(),
    input: () => chunked(1_000_000, (n) => request(n, 0, 16 * KIB))
  },
  {
    name: '1,000,000 requests while we choke, fast extension, never read',
    most: 3,
    isFast: true,
    use: askForFast,
    input: () => chunked(1_000_000, (n) => request(n, 0, 16 * KIB))
  },
  ...[undefined, 17].map((length) => ({
    name: `1,000,000 requests and their cancels${length ? ', one by one' : ''}, fast extension, never read`,
    // A chunk of output for each reject, where the input comes one by one.
    most: length ? 8 : 3,
    cut: length,
    isFast: true,
    use(wire) {
      askForFast(wire)
      wire.unchoke()
    },
    input: () => chunked(1_000_000, (n) => message(n % 2 ? 8 : 6, [n >> 1, 0, 16 * KIB]))
  })),
  {
    name: '1,000,000 allowed fasts and suggests of different pieces',
    most: 2,
    isFast: true,
    use: askForFast,
    input: () => chunked(1_000_000, (n) => message(n % 2 ? 13 : 17, [n]))
  },
  {
    name: '1,000,000 rejects of nothing, have alls and have nones',
    most: 2,
    isFast: true,
    use: askForFast,
    input: () => chunked(1_000_000, (n) => message(14 + (n % 3), n % 3 === 2 ? [n, 0, 1] : []))
  },
  {
    name: '1,000,000 haves of random pieces',
    most: 2,
    input: () => chunked(1_000_000, randomHaves())
  },
  {
    name: '1,000,000 haves of random pieces, peerPieces read',
    use: readPieces,
    input: () => chunked(1_000_000, randomHaves())
  },
  {
    name: '1,000,000 cancels of nothing, while 2,000 requests wait',
    use: (wire) => wire.unchoke(),
    input: () => [
      ...chunked(2000, (n) => request(n, 0, 1)),
      ...chunked(1_000_000, (n) => message(8, [n, 1, 1]))
    ]
  },
  {
    name: '1,000,000 keep-alives',
    input: () => chunked(1_000_000, () => Buffer.alloc(4))
  },
  {
    name: '1,000,000 chokes and unchokes, a request at each',
    use(wire) {
      wire.on('unchoke', () => wire.request(0, 0, 16 * KIB, () => {}))
      wire.unpipe()
      wire.resume()
    },
    input: () => chunked(1_000_000, (n) => message(n % 2))
  },
  {
    name: 'a have of the last piece, to 1,000 wires, peerPieces read',
    use: readPieces,
    wires: 1000,
    input: () => chunked(1, () => have(PIECES - 1))
  },
  {
    name: '100 bitfields of 512 KiB',
    input: () => chunked(100, () => bitfield(Buffer.alloc(PIECES / 8, 0xff)))
  },
  {
    name: '100 bitfields of 512 KiB, peerPieces read',
    use: readPieces,
    input: () => chunked(100, () => bitfield(Buffer.alloc(PIECES / 8, 0xff)))
  },
  {
    name: '1 MiB announced, 10 bytes sent, to one wire',
    input: () => [announced(KIB * KIB, 10)]
  },
  {
    name: '1 MiB announced, 10 bytes sent, to 10,000 wires',
    wires: 10_000,
    input: () => [announced(KIB * KIB, 10)]
  },
  {
    name: '1 MiB announced, all but one byte sent in single bytes',
    most: 4,
    cut: 1,
    input: () => split(announced(KIB * KIB, KIB * KIB - 1))
  }
]

/** A peer that asks for 8 GiB, or 300,000 times for less than a block, and takes none of it. */
function neverReading(length, when, later, cut) {
  const isTiny = length < KIB
  const size = isTiny ? `${length} byte${length === 1 ? '' : 's'}` : `${length / KIB} KiB`
  return {
    name: `requests for ${size}, answered ${when}, never read`,
    most: isTiny ? 3 : 4,
    cut,
    use(wire) {
      wire.unchoke()
      wire.on('request', (piece, offset, asked, respond) => {
        later(() => respond(null, Buffer.allocUnsafeSlow(asked).fill(1)))
      })
    },
    input: () =>
      chunked(isTiny ? 300_000 : (8 * KIB * KIB * KIB) / length, (n) => request(n, 0, length))
  }
}

function askForFast(wire) {
  wire.handshake(INFO_HASH, PEER_ID, { fast: true })
}

function readPieces(wire) {
  wire.on('handshake', () => wire.peerPieces.length)
}

function randomHaves() {
  const below = random(7)
  return () => have(below(PIECES))
}

/** An incomplete extended message. */
function announced(length, sent) {
  const frame = message(20, [], Buffer.alloc(sent - 1))
  frame.writeUInt32BE(length, 0)
  return frame
}

/** `count` messages, in chunks as a socket delivers them. */
function* chunked(count, frameAt) {
  let frames = []
  let length = 0
  for (let n = 0; n < count; n++) {
    const frame = frameAt(n)
    frames.push(frame)
    length += frame.length
    if (length < CHUNK_LENGTH && n < count - 1) continue
    yield* split(Buffer.concat(frames))
    frames = []
    length = 0
  }
}

function* split(bytes) {
  for (let at = 0; at < bytes.length; at += CHUNK_LENGTH) {
    yield bytes.subarray(at, at + CHUNK_LENGTH)
  }
}
