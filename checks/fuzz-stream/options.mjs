// Draws random options for wires, and values that an option must refuse.
import { bytesOf } from '../../testkit/messages.mjs'

const MAX_INT32 = 2 ** 31 - 1
const NO_NUMBERS = ['1', true, [], {}, 1n, Symbol('1')]
const NO_DURATIONS = [-1, NaN, Infinity, 2 ** 31, ...NO_NUMBERS]
const NO_COUNTS = [0.5, ...NO_DURATIONS]

/** Info hashes, as the peers of these cases have: about half of them. */
const HASHES = Array.from({ length: 128 }, (_, index) => bytesOf({ size: 20, fill: index * 2 }))
const HEX = HASHES.map((hash) => hash.toString('hex'))

/** Valid values, per docs/api.md. */
const OPTIONS = {
  speed: { right: [0, 1, 2.6, 16_383], wrong: [-1, 0.3, 16_383.5, NaN, Infinity, ...NO_NUMBERS] },
  maxMessageLength: { right: [0, 13, 1000, 2 ** 20, MAX_INT32], wrong: NO_COUNTS },
  maxRequestLength: { right: [0, 16, 16_384, MAX_INT32], wrong: NO_COUNTS },
  maxPeerRequests: { right: [0, 1, 5, 2000, MAX_INT32], wrong: NO_COUNTS },
  pieces: { right: [0, 1, 64, 80, 1001, 2 ** 23], wrong: NO_COUNTS },
  uploadBacklog: { right: [0, 1000, 30_000, 2 ** 20], wrong: NO_COUNTS },
  policy: { right: ['lenient', 'strict', 'strict'], wrong: ['', 'Strict', 1, {}, true] },
  handshakeTimeout: { right: [0, 0.5, 20, 1000, MAX_INT32], wrong: NO_DURATIONS },
  inactivityTimeout: { right: [0, 0.5, 20, 1000, MAX_INT32], wrong: NO_DURATIONS },
  rejectTimeout: { right: [0, 0.5, 0.5, 5, 5, 20, 30_000], wrong: NO_DURATIONS },
  extensions: { right: [true, true, false], wrong: [0, 1, 'true', {}, []] },
  infoHashes: {
    right: [
      HASHES,
      new Set(HEX),
      [...HEX.slice(0, 60), ...HASHES.slice(60)],
      (infoHash) => infoHash[0] % 2 === 0,
      () => true,
      () => true,
      () => false,
      HASHES[0],
      HEX[1].toUpperCase(),
      []
    ],
    wrong: [7, true, {}, 1n, Symbol('1'), [7], new Set([7]), new Set(HASHES), new Map()]
  },
  notPeerId: { right: [HASHES[3], 'a'.repeat(20)], wrong: [7, true, {}, [], 1n, Symbol('1')] },
  copyBlocks: { right: [false, true], wrong: [0, 1, 'true', {}] },
  transcript: { right: [0, 1, 7, 100_000], wrong: [100_001, ...NO_COUNTS] }
}

/** How many options are set: usually few. */
const SHARES = [0, 0, 0.1, 0.1, 0.3, 1]

/** Options that matter only in few cases, and are therefore always set. */
const ALWAYS = ['uploadBacklog', 'rejectTimeout']

/**
 * @param {object} random
 * @returns {object} some of the options, with valid values
 */
export function drawOptions(random) {
  const share = random.pick(SHARES)
  const options = Object.fromEntries(ALWAYS.map((name) => [name, random.pick(OPTIONS[name].right)]))
  for (const [name, { right }] of Object.entries(OPTIONS)) {
    // Most peers have another info hash than is served.
    if (random.chance(name === 'infoHashes' ? share / 3 : share))
      options[name] = random.pick([undefined, null, ...right, ...right])
  }
  return options
}

/** `undefined` and `null` stand for a default. */
export const withoutMissing = (options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value != null))

/**
 * @param {object} random
 * @returns {[string, unknown]} name of an option, and an invalid value for it
 */
export function drawWrongOption(random) {
  const name = random.pick(Object.keys(OPTIONS))
  return [name, random.pick(OPTIONS[name].wrong)]
}
