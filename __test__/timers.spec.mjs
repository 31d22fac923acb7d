// Fake timers in the place of Node's own: objects with fewer methods, or plain numbers, as in jest's legacy
// timers, old sinon and hand-made ones.
import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { CHOKE, HANDSHAKE, UNCHOKE, fast, pwp, unchoked } from '../testkit/wires.mjs'

const NAMES = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval']

// The speed meters of all wires share one timer, which starts with the first one.
pwp().downloadSpeed()

/** What setTimeout() may return for the timer with a number. */
const KINDS = {
  numbers: (id) => id,
  'numbers from 0': (id) => id - 1,
  'objects without methods': (id) => ({ id }),
  'objects whose unref() returns nothing': (id) => ({ id, ref() {}, unref() {} }),
  'objects without refresh()': (id) => ({
    id,
    unref() {
      return this
    }
  }),
  'of another type': BigInt
}

/** Runs a function with timers that fire when it says so, and that pass no arguments on. */
const withTimers = (make, run) => {
  const saved = NAMES.map((name) => globalThis[name])
  const timers = new Map()
  let now = 0
  let id = 0
  const add = (repeats) => (callback, ms) => {
    const timer = make(++id)
    timers.set(timer, { callback, ms, due: now + ms, repeats })
    return timer
  }
  const next = (end) =>
    [...timers].filter(([, { due }]) => due <= end).toSorted(([, a], [, b]) => a.due - b.due)[0]
  const advance = (ms) => {
    const end = now + ms
    for (let due = next(end); due; due = next(end)) {
      const [timer, entry] = due
      now = entry.due
      if (entry.repeats) entry.due += entry.ms
      else timers.delete(timer)
      entry.callback()
    }
    now = end
  }
  globalThis.setTimeout = add(false)
  globalThis.setInterval = add(true)
  globalThis.clearTimeout = (timer) => timers.delete(timer)
  globalThis.clearInterval = globalThis.clearTimeout
  try {
    run(advance, timers)
  } finally {
    NAMES.forEach((name, at) => (globalThis[name] = saved[at]))
  }
}

for (const [name, make] of Object.entries(KINDS)) {
  test(`honors inactivityTimeout with timers that are ${name}`, (t) => {
    withTimers(make, (advance, timers) => {
      const wire = pwp({ handshakeTimeout: 50, inactivityTimeout: 100 })
      advance(40)
      for (const chunk of [HANDSHAKE, frame(4, 1), Buffer.alloc(4)]) {
        wire.write(chunk)
        advance(90)
      }
      t.false(wire.destroyed)
      advance(20)
      t.is(wire.error.code, 'ERR_PWP_INACTIVITY_TIMEOUT')
      t.is(timers.size, 0)
    })
  })

  test(`honors handshakeTimeout with timers that are ${name}`, (t) => {
    withTimers(make, (advance, timers) => {
      const wire = pwp({ handshakeTimeout: 50, inactivityTimeout: 100 })
      advance(49)
      t.false(wire.destroyed)
      advance(1)
      t.is(wire.error.code, 'ERR_PWP_HANDSHAKE_TIMEOUT')
      t.is(timers.size, 0)
    })
  })

  test(`honors rejectTimeout with timers that are ${name}`, (t) => {
    withTimers(make, (advance, timers) => {
      const [wire, closed] = [1, 2].map(() => fast({ rejectTimeout: 50 }))
      const outcomes = []
      for (const one of [wire, closed]) {
        one.write(UNCHOKE)
        one.request(1, 0, 9, (error) => outcomes.push(error.message))
        one.write(CHOKE)
      }
      closed.destroy()
      advance(49)
      t.deepEqual(outcomes, [])
      advance(1)
      t.deepEqual(outcomes, ['peer is choking'])
      t.is(timers.size, 0)
      // Its callback comes with the end of the stream.
      t.is(closed.requests.length, 1)
    })
  })

  test(`times requests and keep-alives with timers that are ${name}`, (t) => {
    withTimers(make, (advance, timers) => {
      const wire = unchoked()
      const outcomes = []
      wire.setTimeout(1000)
      for (const piece of [1, 2, 3])
        wire.request(piece, 0, 1, (error) => outcomes.push(error.message))
      advance(1000)
      wire.cancel(2, 0, 1)
      advance(999)
      t.deepEqual(outcomes, ['request has timed out', 'request was cancelled'])
      advance(1)
      t.is(outcomes.length, 3)
      wire.read(wire.readableLength)
      wire.setKeepAlive()
      advance(120_000)
      t.deepEqual(wire.read(wire.readableLength), Buffer.alloc(8))
      wire.setKeepAlive(false)
      t.is(timers.size, 0)
    })
  })
}
