// The ways to read the output of a wire: flowing, piped, paused, or only at the end.

import { Writable } from 'node:stream'
import { count, note } from './session-log.mjs'

/**
 * Starts to read in the way that the session specifies.
 *
 * @param {object} run of `runSession`
 */
export const startReading = (run) => {
  READERS[run.session.reader](run)
  count(run, `reader ${run.session.reader}`)
}

/**
 * Records output as read.
 *
 * @param {object} run of `runSession`
 * @param {Buffer} chunk
 */
export const collect = (run, chunk) => {
  run.output.push(chunk)
  run.written += chunk.length
}

/**
 * Whether output is still queued for a slow sink.
 *
 * @param {object} run of `runSession`
 * @returns {boolean}
 */
export const isDraining = ({ isPiped, sinks, wire }) =>
  isPiped && (wire.readableLength > 0 || sinks.some((sink) => sink.writableLength > 0))

/**
 * Pipes into the first sink again, or unpipes it.
 *
 * @param {object} run of `runSession`
 * @param {boolean} isPiped
 */
export const setPiped = (run, isPiped) => {
  if (isPiped === run.isPiped) return
  run.isPiped = isPiped
  if (isPiped) run.wire.pipe(run.sinks[0])
  else run.wire.unpipe(run.sinks[0])
}

/**
 * Reads the remaining output.
 *
 * @param {object} run of `runSession`
 */
export const finishReading = (run) => {
  if (run.sinks.length) setPiped(run, true)
  else if (run.session.reader === 'flow') run.wire.resume()
  else readAll(run)
}

/** A sink; if `slow`, each write takes a turn of the event loop. */
const makeSink = (run, slow, take) => {
  const sink = new Writable({
    highWaterMark: run.session.sinkMark,
    write(chunk, encoding, done) {
      take(chunk)
      if (slow) setImmediate(done)
      else done()
    }
  })
  sink.on('finish', () => note(run, 'sink finish', []))
  run.sinks.push(sink)
  return sink
}

const pipeTo = (run, slow) => {
  run.wire.pipe(makeSink(run, slow, (chunk) => collect(run, chunk)))
  run.isPiped = true
}

const readAll = (run) => {
  for (let chunk = run.wire.read(); chunk; chunk = run.wire.read()) collect(run, chunk)
}

const watch = (run) => (chunk) => {
  run.watched += chunk.length
}

const READERS = {
  // A native wire shows at its other end what it has sent.
  flow: (run) => (run.wire.output ?? run.wire).on('data', (chunk) => collect(run, chunk)),
  pipe: (run) => pipeTo(run, false),
  slow: (run) => pipeTo(run, true),
  'slow and watched': (run) => {
    pipeTo(run, true)
    run.wire.on('data', watch(run))
  },
  'two pipes': (run) => {
    pipeTo(run, true)
    run.wire.pipe(makeSink(run, false, watch(run)))
  },
  readable: (run) => run.wire.on('readable', () => readAll(run)),
  paused: () => {},
  none: () => {}
}

/** Ways to read the output of a wire. */
export const READER_KINDS = Object.keys(READERS)
