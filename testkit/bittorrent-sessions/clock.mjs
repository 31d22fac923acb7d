// The time of a session: timers and all clocks advance only when the session says so.

import { FakeClock } from '../fake-clock.mjs'

/** The timers of all sessions, because those of modules stay on it. */
export const clock = new FakeClock()

/**
 * @template T
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 */
export const inFakeTime = async (act) => {
  const { now } = Date
  const { hrtime } = process
  clock.install()
  Date.now = () => start + clock.now
  performance.now = () => start + clock.now
  process.hrtime = Object.assign(
    () => [Math.floor((start + clock.now) / 1000), ((start + clock.now) % 1000) * 1e6],
    { bigint: () => BigInt(start + clock.now) * 1_000_000n }
  )
  try {
    return await act()
  } finally {
    Date.now = now
    process.hrtime = hrtime
    delete performance.now
    start += clock.now
    clock.restore()
  }
}

/** Time at which a session begins, in ms: no clock may go back. */
let start = 1_000_000
