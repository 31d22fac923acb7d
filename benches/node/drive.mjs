// Drives a wire in memory: opens it, feeds it chunks as a socket would, counts and compares.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { handshake, INFO_HASH, PEER_ID, unchoke } from '../../testkit/frames.mjs'

let clock = () => performance.now()

/**
 * Runs `step` on the items one by one; concurrent measurements would disturb each other.
 * @template T, R
 * @param {Iterable<T>} items
 * @param {(item: T) => Promise<R>} step
 * @returns {Promise<R[]>}
 */
export async function inTurn(items, step) {
  const results = []
  // oxlint-disable-next-line no-await-in-loop -- sequential on purpose
  for (const item of items) results.push(await step(item))
  return results
}

/** @returns {() => number} the seconds since this call, by the chosen clock */
export function stopwatch() {
  const start = clock()
  return () => (clock() - start) / 1000
}

/**
 * @returns {() => number} the seconds since this call that this thread, which runs the event loop, was computing;
 *   by the chosen clock where the system does not say
 */
export function loopStopwatch() {
  if (loopClock === null) return stopwatch()
  const start = loopClock()
  return () => loopClock() - start
}

const loopClock = findLoopClock()

function findLoopClock() {
  if (process.threadCpuUsage) {
    return () => {
      const { user, system } = process.threadCpuUsage()
      return (user + system) / 1e6
    }
  }
  try {
    return Number.isNaN(linuxClock()) ? null : linuxClock
  } catch {
    return null
  }
}

/** Releases of Node before 24 have no other. */
function linuxClock() {
  return Number.parseInt(readFileSync('/proc/thread-self/schedstat'), 10) / 1e9
}

/** Makes stopwatches measure the CPU time of this process, which a busy machine disturbs less. */
export function useCpuClock() {
  clock = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
}

/**
 * Makes a wire after handshakes and unchokes both ways.
 * @param {import('./libraries.mjs').Library} library
 * @param {object} [settings]
 * @param {object} [settings.options] for the constructor
 * @param {(chunk: Uint8Array) => void} [settings.onOutput] receives what the wire sends from then on
 */
export async function openWire(library, { options, onOutput = ignore } = {}) {
  const wire = library.create(options)
  let output = ignore
  wire.on('data', (chunk) => output(chunk))
  wire.handshake(INFO_HASH, PEER_ID)
  wire.unchoke()
  const opened = once(wire, 'unchoke')
  wire.write(Buffer.concat([handshake(), unchoke()]))
  await opened
  await turn()
  output = onOutput
  return wire
}

/** Opens `count` wires, see `openWire`. */
export const openWires = (library, count, settings) =>
  inTurn(Array.from({ length: count }), () => openWire(library, settings))

/** Destroys the wires and waits for their last events. */
export async function closeWires(wires) {
  for (const wire of wires) wire.destroy()
  await turn()
}

/**
 * Writes the chunks as pipe() does: at once, or after 'drain' when the wire applies back-pressure.
 * @param {import('node:stream').Duplex} wire
 * @param {Uint8Array[]} chunks
 * @returns {Promise<void>} settles when the last chunk is written, possibly before it is parsed
 */
export function feed(wire, chunks) {
  return new Promise((resolve) => {
    let next = 0
    const more = () => {
      while (next < chunks.length) if (!wire.write(chunks[next++])) return
      wire.off('drain', more)
      resolve()
    }
    wire.on('drain', more)
    more()
  })
}

/**
 * @param {number} expected
 * @returns {{ count: number, hit(): void, add(by: number): void, done: Promise<void> }} `done`
 *   settles when the count reaches `expected`
 */
export function counter(expected) {
  let resolve
  const done = new Promise((settle) => {
    resolve = settle
  })
  const self = { count: 0, hit: () => add(1), add, done }
  return self

  function add(by) {
    self.count += by
    if (self.count >= expected) resolve()
  }
}

/**
 * Compares a byte stream, cut anywhere, with the concatenation of `frameAt(0)`, `frameAt(1)`, ...
 * @param {(n: number) => Buffer} frameAt
 * @returns {{ write(chunk: Uint8Array): void, wrong: number }} `wrong` counts differing parts
 */
export function comparing(frameAt) {
  let frames = 0
  let frame = frameAt(0)
  let at = 0
  const self = { wrong: 0, write }
  return self

  function write(chunk) {
    let from = 0
    while (from < chunk.length) {
      const length = Math.min(frame.length - at, chunk.length - from)
      if (frame.compare(chunk, from, from + length, at, at + length) !== 0) self.wrong++
      from += length
      at += length
      if (at < frame.length) return
      frame = frameAt(++frames)
      at = 0
    }
  }
}

/** Waits for pending events, so that a surplus one is seen before the check. */
export const settle = () => turn()

function ignore() {}
