// Reading a wire with `for await`: everything that was sent, also what destroy() finds unread.
//
// Node's own iterator stops where a stream says that it is destroyed, and takes 'close' for the end. A
// wire is destroyed and emits 'close' at once, and ends when its output is read.
'use strict'

/**
 * @param {import('../wire.js')} wire
 * @param {{destroyOnReturn?: boolean}} [options] - `false`: leaving the loop early does not destroy it
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

/** Once the wire has closed, all that is left: a pipeline that failed asks its functions only once. */
function readNext(wire) {
  return wire.destroyed && wire.readableLength > 0 ? wire.read(wire.readableLength) : wire.read()
}

/** Waits for what may let a read() give something else. */
function watch(wire) {
  let wake = null
  const tell = () => {
    if (wake !== null) wake()
    wake = null
  }
  const names = ['readable', 'end']
  for (const name of names) wire.on(name, tell)
  return {
    next() {
      return new Promise((resolve) => {
        wake = resolve
      })
    },
    stop() {
      for (const name of names) wire.removeListener(name, tell)
    }
  }
}

module.exports = { iterate }
