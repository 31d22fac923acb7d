// Timers and the clock of `performance`, which advance only when a test says so.
import { FakeClock } from './fake-clock.mjs'
import { settled } from './wires.mjs'

/**
 * Runs a test in fake time.
 *
 * @param {(advance: (ms: number) => Promise<void>, clock: FakeClock) => unknown} run
 */
export const inFakeTime = async (run) => {
  const clock = new FakeClock()
  const start = performance.now()
  clock.install()
  performance.now = () => start + clock.now
  try {
    await run((ms) => clock.advance(ms, settled), clock)
  } finally {
    clock.restore()
    delete performance.now
  }
}
