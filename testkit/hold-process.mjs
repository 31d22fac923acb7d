// Keeps the process of a test file alive until its tests have ended, as sockets keep an application alive: the
// timers of a wire do not, and the streams of most tests are in memory.
import { registerCompletionHandler } from 'ava'

/** Longest delay of a timer in ms. */
const MAX_DELAY = 0x7fffffff

// Those of Node, whatever a test has put in their place by then.
const { clearInterval, setInterval } = globalThis

const timer = setInterval(() => {}, MAX_DELAY)
registerCompletionHandler(() => clearInterval(timer))
