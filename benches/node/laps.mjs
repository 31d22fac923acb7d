// Measures the parts of a transfer by two clocks: of the process with all its threads, and of the thread that runs the
// event loop.
import { BLOCK_LEN } from '../../testkit/frames.mjs'
import { loopStopwatch, stopwatch } from './drive.mjs'

/** Cold is the first eighth, warm the second half. */
const ENDS = { cold: 1 / 8, half: 1 / 2 }

/** The lines of the report for what `lapsOf` measures. */
export const LAP_METRICS = [
  { key: 'cold', part: 'cold', unit: 'ms/GB' },
  { key: 'coldLoop', part: 'cold, event loop', unit: 'ms/GB' },
  { key: 'warm', part: 'warm', unit: 'ms/GB' },
  { key: 'warmLoop', part: 'warm, event loop', unit: 'ms/GB' }
]

/**
 * The clocks run from this call on.
 * @param {number} count blocks in the transfer
 * @returns {{ onCount: (blocks: number) => void, end: () => Record<string, number> }} `onCount` is to be called with the
 *   number of blocks transferred so far, possibly not for each one; `end` gives ms per GB
 */
export function lapsOf(count) {
  const marks = []
  const ends = Object.values(ENDS).map((part) => Math.ceil(count * part))
  const clocks = { all: stopwatch(), loop: loopStopwatch() }
  const read = (blocks) => ({ blocks, all: clocks.all(), loop: clocks.loop() })
  const start = { blocks: 0, all: 0, loop: 0 }
  return {
    onCount(blocks) {
      if (blocks >= ends[marks.length]) marks.push(read(blocks))
    },
    end() {
      const [cold, half] = marks
      const all = read(count)
      return {
        cold: perGB(start, cold, 'all'),
        coldLoop: perGB(start, cold, 'loop'),
        warm: perGB(half, all, 'all'),
        warmLoop: perGB(half, all, 'loop')
      }
    }
  }
}

function perGB(from, to, clock) {
  return ((to[clock] - from[clock]) * 1000) / (((to.blocks - from.blocks) * BLOCK_LEN) / 1e9)
}
