// Reads a wire with `for await`: everything that was sent, including what is unread at destroy().
//
// Node's own iterator stops when a stream says that it is destroyed, and takes 'close' for the end. A wire
// is destroyed and emits 'close' at once, but ends when its output has been read.
'use strict'

/**
 * @param {import('../wire.js')} wire
 * @param {{destroyOnReturn?: boolean}} [options] - `false`: leaving the loop does not destroy the wire
 * @returns {AsyncGenerator<Buffer | string, void>} throws the error of the wire after the last chunk
 */
async function* iterate(wire, { destroyOnReturn = true } = {}) {
  const news = watch(wire)
  try {
    for (;;) {
      const chunk = readNext(wire)
      if (chunk !== null) yield chunk
      else if (wire.readableEnded) break
      else await news.next() // oxlint-disable-line no-await-in-loop -- one chunk after the other
    }
    if (wire.error !== null) throw wire.error
  } finally {
    news.stop()
    if (destroyOnReturn) wire.destroy()
  }
}

/** After the wire has closed, all that is left in one chunk: a failed pipeline reads only once more. */
function readNext(wire) {
  return wire.destroyed && wire.readableLength > 0 ? wire.read(wire.readableLength) : wire.read()
}

/** Waits for events after which read() may return something else. */
function watch(wire) {
  let wake = null
  const notify = () => {
    if (wake !== null) wake()
    wake = null
  }
  const names = ['readable', 'end']
  for (const name of names) wire.on(name, notify)
  return {
    next() {
      return new Promise((resolve) => {
        wake = resolve
      })
    },
    stop() {
      for (const name of names) wire.removeListener(name, notify)
    }
  }
}

module.exports = { iterate }
