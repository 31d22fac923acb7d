// Requests with a signal or a deadline of their own, and those that are awaited.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { runInNewContext } from 'node:vm'
import { AbortController as OldController } from 'abort-controller'
import test from 'ava'

import { FakeClock } from '../testkit/fake-clock.mjs'
import { inTurn } from '../testkit/in-turn.mjs'
import { frame } from '../testkit/messages.mjs'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { CHOKE, HANDSHAKE, fast, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

const REQUEST = frame(6, 3, 16, 4)
const CANCEL = frame(8, 3, 16, 4)
const REJECT = frame(16, 3, 16, 4)
const BLOCK = Buffer.from('abcd')
const PIECE = frame(7, 3, 16, BLOCK)

/** Requests a block; returns a live list of what its callback gets. */
const ask = (wire, options) => {
  const outcomes = []
  wire.request(3, 16, 4, options, (error, block) => outcomes.push(error ?? block.toString()))
  return outcomes
}

/** The same with requestBlock(). */
const asking = (wire, options) => {
  const outcomes = []
  const note = (outcome) => outcomes.push(outcome)
  wire.requestBlock(3, 16, 4, options).then((block) => note(block.toString()), note)
  return outcomes
}

const listenersOf = (signal) => getEventListeners(signal, 'abort').length

const withClock = (t) => {
  const clock = new FakeClock()
  clock.install()
  t.teardown(() => clock.restore())
  return clock
}

// Without options

test('request() without options, or with empty ones, is as it was', (t) => {
  const wire = unchoked()
  const outcomes = []
  const note = (error, block) => outcomes.push(block.toString())
  for (const args of [
    [note],
    [note, { timeout: 1 }],
    [null, note],
    [undefined, note],
    [{}, note],
    [{ signal: undefined, timeout: null }, note]
  ]) {
    wire.request(3, 16, 4, ...args)
    t.is(wire.requests.at(-1).callback, note)
  }
  for (const args of [[], [null], [undefined], [{}], [{}, null]]) wire.request(3, 16, 4, ...args)
  t.deepEqual(readAll(wire), Buffer.concat(Array(11).fill(REQUEST)))
  for (let left = 11; left > 0; left--) wire.write(PIECE)
  t.deepEqual(outcomes, Array(6).fill('abcd'))
  t.is(wire.requests.length, 0)
})

test('request() returns what a callback returns that is called at once', (t) => {
  const wire = unchoked()
  wire.write(CHOKE)
  t.is(
    wire.request(3, 16, 4, { timeout: 1 }, ({ message }) => message),
    'peer is choking'
  )
  const { signal } = new AbortController()
  const values = []
  const note = (...args) => values.push(args.length, args[0].message)
  wire.request(3, 16, 4, { signal, timeout: 5 }, note)
  t.deepEqual(values, [1, 'peer is choking'])
  t.is(listenersOf(signal), 0)
})

test('a wire is not thenable', (t) => {
  const wire = pwp()
  t.false('then' in wire)
  t.false('catch' in wire)
})

// requestBlock()

test('requestBlock() gives the block', async (t) => {
  const wire = unchoked()
  const promise = wire.requestBlock(3, 16, 4)
  t.true(promise instanceof Promise)
  t.deepEqual(readAll(wire), REQUEST)
  t.is(wire.requests.length, 1)
  wire.write(PIECE)
  const block = await promise
  t.true(Buffer.isBuffer(block))
  t.deepEqual(block, BLOCK)
  t.is(wire.requests.length, 0)
})

const ENDS = {
  'peer is choking': (wire) => wire.write(CHOKE),
  'request was cancelled': (wire) => wire.cancel(3, 16, 4),
  'wire is closed': (wire) => wire.resume().destroy(new Error('of the user'))
}

for (const [message, end] of Object.entries(ENDS)) {
  test(`requestBlock() rejects with: ${message}`, async (t) => {
    const wire = unchoked()
    const { signal } = new AbortController()
    const promise = wire.requestBlock(3, 16, 4, { signal, timeout: 1000 })
    const failure = t.throwsAsync(promise, { message })
    end(wire)
    await failure
    t.is(listenersOf(signal), 0)
  })
}

test('requestBlock() rejects at once where request() fails at once', async (t) => {
  const wire = pwp()
  await t.throwsAsync(wire.requestBlock(3, 16, 4), { message: 'peer is choking' })
  wire.resume().destroy()
  await settled()
  await t.throwsAsync(wire.requestBlock(3, 16, 4), { message: 'wire is closed' })
})

test('requestBlock() rejects with the error of a peer that breaks the protocol', async (t) => {
  const wire = unchoked()
  const promise = wire.requestBlock(3, 16, 4, { timeout: 1000 })
  wire.write(Buffer.alloc(4, 0xff))
  await t.throwsAsync(promise, { code: 'ERR_PWP_MESSAGE_TOO_LONG' })
})

test('requestBlock() rejects when a peer with the fast extension rejects', async (t) => {
  const wire = fast()
  wire.write(frame(1))
  const promise = wire.requestBlock(3, 16, 4)
  wire.write(REJECT)
  await t.throwsAsync(promise, { message: 'request was rejected' })
})

// Signals

for (const [how, make] of Object.entries({ 'request()': ask, 'requestBlock()': asking })) {
  test(`${how} fails with the reason of a signal, and cancels`, async (t) => {
    const wire = unchoked()
    const controller = new AbortController()
    const outcomes = make(wire, { signal: controller.signal })
    readAll(wire)
    const reason = new Error('not wanted any more')
    controller.abort(reason)
    t.deepEqual(readAll(wire), CANCEL)
    t.is(wire.requests.length, 0)
    await settled()
    t.deepEqual(outcomes, [reason])
    // The block was on its way.
    const events = record(wire, ['piece', 'timeout'])
    wire.write(PIECE)
    await settled()
    t.deepEqual(outcomes, [reason])
    t.deepEqual(events, ['piece'])
  })

  test(`${how} sends nothing for a signal that is aborted already`, async (t) => {
    const wire = unchoked()
    const reason = new Error('too late')
    readAll(wire)
    const outcomes = make(wire, { signal: AbortSignal.abort(reason), timeout: 1 })
    t.is(wire.requests.length, 0)
    t.is(readAll(wire).length, 0)
    await settled()
    t.deepEqual(outcomes, [reason])
    // Whatever the state of the wire.
    const closed = make(pwp(), { signal: AbortSignal.abort(reason) })
    await settled()
    t.deepEqual(closed, [reason])
  })
}

test('a callback hears in the call of a signal that is aborted already', (t) => {
  const outcome = unchoked().request(3, 16, 4, { signal: AbortSignal.abort() }, (error) => error)
  t.is(outcome.name, 'AbortError')
})

for (const reason of [undefined, null, 0, '', false, NaN]) {
  test(`gives an AbortError for the reason ${reason}`, async (t) => {
    const wire = unchoked()
    const controller = new AbortController()
    const outcomes = ask(wire, { signal: controller.signal })
    const promise = wire.requestBlock(3, 16, 4, { signal: controller.signal })
    controller.abort(reason)
    t.is(outcomes[0].name, 'AbortError')
    t.is((await t.throwsAsync(promise, { any: true })).name, 'AbortError')
    t.is(wire.stats().requestLatency, null)
  })
}

test('gives a reason that is no Error as it is', async (t) => {
  const wire = unchoked()
  const controller = new AbortController()
  const outcomes = ask(wire, { signal: controller.signal })
  controller.abort('stop')
  t.deepEqual(outcomes, ['stop'])
})

for (const place of [0, 1, 2]) {
  test(`an abort ends request ${place} of three equal ones, and no other`, (t) => {
    const wire = unchoked()
    const controllers = [0, 1, 2].map(() => new AbortController())
    const outcomes = controllers.map(({ signal }) => ask(wire, { signal }))
    readAll(wire)
    controllers[place].abort('this one')
    t.deepEqual(readAll(wire), CANCEL)
    wire.write(PIECE)
    wire.write(PIECE)
    const expected = [0, 1, 2].map((index) => (index === place ? ['this one'] : ['abcd']))
    t.deepEqual(outcomes, expected)
    for (const { signal } of controllers) t.is(listenersOf(signal), 0)
  })
}

test('an abort cancels nothing that the queue of the peer has no room for', (t) => {
  const wire = unchoked({ extensions: true })
  wire.write(frame(20, Buffer.from([0]), Buffer.from('d4:reqqi1ee')))
  readAll(wire)
  const [first, second] = [0, 1].map(() => new AbortController())
  ask(wire, { signal: first.signal })
  const outcomes = ask(wire, { signal: second.signal })
  const third = ask(wire)
  t.deepEqual(readAll(wire), REQUEST)
  second.abort('held')
  t.is(readAll(wire).length, 0)
  t.deepEqual(outcomes, ['held'])
  // One that the peer knows makes room for the next.
  first.abort()
  t.deepEqual(readAll(wire), Buffer.concat([CANCEL, REQUEST]))
  wire.write(PIECE)
  t.deepEqual(third, ['abcd'])
})

test('the answer to a request that was aborted is awaited with the fast extension', (t) => {
  for (const answer of [PIECE, REJECT]) {
    const wire = fast({ policy: 'strict' })
    wire.write(frame(1))
    const controller = new AbortController()
    const outcomes = ask(wire, { signal: controller.signal })
    controller.abort('stop')
    const events = record(wire, ['piece', 'reject'])
    wire.write(answer)
    t.deepEqual(outcomes, ['stop'])
    t.is(events.length, 1)
    t.is(wire.error, null)
  }
})

test('takes signals of other realms, of packages and of AbortSignal.any()', (t) => {
  const old = new OldController()
  const controller = new AbortController()
  const made = {
    addEventListener: (name, listener) => (made.listener = listener),
    removeEventListener: () => (made.listener = null),
    aborted: false,
    reason: 'made by hand'
  }
  const wire = unchoked()
  const signals = [old.signal, AbortSignal.any([controller.signal]), made]
  const outcomes = signals.map((signal) => ask(wire, { signal }))
  old.abort()
  controller.abort('any')
  made.aborted = true
  made.listener()
  t.is(outcomes[0][0].name, 'AbortError')
  t.deepEqual(outcomes.slice(1), [['any'], ['made by hand']])
  t.is(made.listener, null)
})

test('hears of an abort although another listener stops the event', (t) => {
  const controller = new AbortController()
  controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
  const outcomes = ask(unchoked(), { signal: controller.signal })
  controller.abort('stop')
  t.deepEqual(outcomes, ['stop'])
})

test.serial(
  'one signal serves thousands of requests of many wires with one listener',
  async (t) => {
    const warnings = []
    const note = ({ name }) => warnings.push(name)
    process.on('warning', note)
    t.teardown(() => process.off('warning', note))
    const { signal } = new AbortController()
    const wires = Array.from({ length: 20 }, () => unchoked())
    const outcomes = wires.flatMap((wire) =>
      Array.from({ length: 100 }, () => ask(wire, { signal, timeout: 60_000 }))
    )
    t.is(listenersOf(signal), 1)
    for (const wire of wires.slice(1)) wire.write(Buffer.concat(Array(100).fill(PIECE)))
    t.is(listenersOf(signal), 1)
    wires[0].write(CHOKE)
    t.is(listenersOf(signal), 0)
    t.true(outcomes.every((outcome) => outcome.length === 1))
    await settled()
    t.deepEqual(warnings, [])
  }
)

test('an abort ends all requests with its signal, whatever their callbacks do', async (t) => {
  const [wire, other] = [unchoked(), unchoked()]
  const controller = new AbortController()
  const { signal } = controller
  const log = []
  const note = (name, act) => (error) => {
    log.push(`${name} ${error.message ?? error}`)
    act?.()
  }
  wire.request(
    3,
    16,
    4,
    { signal },
    note('first', () => wire.cancel(3, 16, 4))
  )
  wire.request(3, 16, 4, { signal }, note('second'))
  wire.request(
    3,
    16,
    4,
    { signal },
    note('third', () => wire.request(0, 0, 1, { signal }, note('new')))
  )
  wire.request(
    3,
    16,
    4,
    { signal },
    note('fourth', () => controller.abort('again'))
  )
  wire.request(
    3,
    16,
    4,
    { signal },
    note('fifth', () => wire.resume().destroy())
  )
  wire.request(3, 16, 4, { signal }, note('sixth'))
  other.request(3, 16, 4, { signal }, note('other'))
  controller.abort('stop')
  await settled()
  t.deepEqual(log, [
    'first stop',
    'second request was cancelled',
    'third stop',
    'new stop',
    'fourth stop',
    'fifth stop',
    'sixth stop',
    'other stop'
  ])
  t.is(listenersOf(signal), 0)
})

test.serial('a callback that throws does not keep the others from being called', async (t) => {
  const controller = new AbortController()
  const wire = unchoked()
  const thrown = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error.message))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const { signal } = controller
  wire.request(3, 16, 4, { signal }, () => {
    throw new Error('by the user')
  })
  const outcomes = ask(wire, { signal })
  readAll(wire)
  controller.abort('stop')
  t.deepEqual(readAll(wire), Buffer.concat([CANCEL, CANCEL]))
  t.deepEqual(outcomes, ['stop'])
  await settled()
  t.deepEqual(thrown, ['by the user'])
})

test('a request is settled once, whatever ends it first', async (t) => {
  const outcomes = {
    answer: 'abcd',
    abort: 'stop',
    cancel: 'request was cancelled',
    choke: 'peer is choking',
    destroy: 'wire is closed'
  }
  const acts = {
    answer: ({ wire }) => wire.write(PIECE),
    abort: ({ controller }) => controller.abort('stop'),
    cancel: ({ wire }) => wire.cancel(3, 16, 4),
    choke: ({ wire }) => wire.write(CHOKE),
    destroy: ({ wire }) => wire.resume().destroy()
  }
  for (const first of Object.keys(acts)) {
    for (const second of Object.keys(acts)) {
      const wire = unchoked()
      const controller = new AbortController()
      const state = { wire, controller }
      const got = []
      const note = (error, block) => got.push(error?.message ?? error ?? block.toString())
      wire.request(3, 16, 4, { signal: controller.signal, timeout: 60_000 }, (...args) => {
        note(...args)
        acts[second](state)
      })
      acts[first](state)
      // A wire that is destroyed calls back later.
      if (first === 'destroy') acts[second](state)
      await settled() // oxlint-disable-line no-await-in-loop
      const isAborted = first === 'destroy' && second === 'abort'
      const isCancelled = first === 'destroy' && second === 'cancel'
      const expected = isAborted ? 'stop' : outcomes[isCancelled ? 'cancel' : first]
      t.deepEqual(got, [expected], `${first}, then ${second}`)
      t.is(listenersOf(controller.signal), 0)
    }
  }
})

test('an abort in a listener takes effect before the next message', (t) => {
  const wire = unchoked()
  const controller = new AbortController()
  const outcomes = ask(wire, { signal: controller.signal })
  wire.on('have', () => controller.abort('stop'))
  readAll(wire)
  wire.write(Buffer.concat([frame(4, 9), PIECE]))
  t.deepEqual(outcomes, ['stop'])
  t.deepEqual(readAll(wire), CANCEL)
})

test('an abort in a listener of choke comes before the choke', (t) => {
  const wire = unchoked()
  const controller = new AbortController()
  const outcomes = [ask(wire, { signal: controller.signal }), ask(wire)]
  wire.on('choke', () => controller.abort('stop'))
  wire.write(CHOKE)
  t.is(outcomes[0][0], 'stop')
  t.is(outcomes[1][0].message, 'peer is choking')
})

test('a copy of the package whose modules were reset withdraws its own requests', (t) => {
  // As jest does: what a copy loads late may be of another one.
  const copy = loadCopy()
  const wire = copy()
  wire.write(Buffer.concat([HANDSHAKE, frame(1)]))
  const controller = new AbortController()
  const outcomes = ask(wire, { signal: controller.signal })
  t.deepEqual(readAll(wire), REQUEST)
  controller.abort('stop')
  t.deepEqual(readAll(wire), CANCEL)
  t.deepEqual(outcomes, ['stop'])
})

test('a request has ended before a reader of its cancel causes events', async (t) => {
  const wire = unchoked()
  const controller = new AbortController()
  const log = []
  wire.request(3, 16, 4, { signal: controller.signal }, () => log.push('callback'))
  readAll(wire)
  wire.on('data', () => wire.write(frame(4, 9)))
  wire.on('have', () => log.push(`have, ${wire.requests.length} open`))
  await settled()
  controller.abort()
  t.deepEqual(log, ['callback', 'have, 0 open'])
})

test('a callback that destroys the wire does not keep the cancel from leaving', (t) => {
  const wire = unchoked()
  const controller = new AbortController()
  wire.request(3, 16, 4, { signal: controller.signal }, () => wire.destroy())
  readAll(wire)
  controller.abort()
  t.deepEqual(readAll(wire), CANCEL)
})

test('a request whose answer comes while it is sent leaves no listener', async (t) => {
  const wire = unchoked()
  const { signal } = new AbortController()
  // The reader of the request answers before the call returns.
  wire.on('data', () => wire.write(PIECE))
  const outcomes = ask(wire, { signal, timeout: 60_000 })
  await settled()
  t.deepEqual(outcomes, ['abcd'])
  t.is(listenersOf(signal), 0)
})

// Deadlines

test.serial('a deadline ends its request with a code, and cancels', async (t) => {
  const clock = withClock(t)
  const wire = unchoked()
  const events = record(wire, ['timeout'])
  const [first, second] = [ask(wire, { timeout: 100 }), ask(wire, { timeout: 50 })]
  const third = ask(wire)
  readAll(wire)
  await clock.advance(49, settled)
  t.deepEqual([first, second], [[], []])
  await clock.advance(1, settled)
  const [{ message, code, limit }] = second
  t.deepEqual([message, code, limit], ['request has timed out', 'ERR_PWP_REQUEST_TIMEOUT', 50])
  t.deepEqual(readAll(wire), CANCEL)
  t.deepEqual(first, [])
  wire.write(PIECE)
  t.deepEqual(first, ['abcd'])
  await clock.advance(1000, settled)
  t.deepEqual([second.length, third.length], [1, 0])
  t.is(clock.pending, 0)
  t.deepEqual(events, [])
})

test.serial('a deadline and setTimeout() do not disturb each other', async (t) => {
  const clock = withClock(t)
  const wire = unchoked()
  const log = []
  wire.setTimeout(100, () => log.push('timeout'))
  const note = (name) => (error) => log.push(`${name} ${error.code ?? error.message}`)
  wire.request(3, 16, 4, { timeout: 60 }, note('first'))
  wire.request(3, 16, 4, { timeout: 1000 }, note('second'))
  wire.request(3, 16, 4, note('third'))
  readAll(wire)
  await clock.advance(60, settled)
  // The timer of the second starts now.
  await clock.advance(99, settled)
  t.deepEqual(log, ['first ERR_PWP_REQUEST_TIMEOUT'])
  await clock.advance(1, settled)
  t.deepEqual(log.slice(1), ['second request has timed out', 'timeout'])
  // Only a deadline cancels.
  t.deepEqual(readAll(wire), CANCEL)
  await clock.advance(100, settled)
  t.deepEqual(log.slice(3), ['third request has timed out', 'timeout'])
  t.is(clock.pending, 0)
})

test.serial('a timeout of 0 is none, and the longest one does not fire at once', async (t) => {
  const clock = withClock(t)
  const wire = unchoked()
  const none = ask(wire, { timeout: 0 })
  t.is(clock.pending, 0)
  const longest = asking(wire, { timeout: 2 ** 31 - 1 })
  t.is(clock.pending, 1)
  await clock.advance(2 ** 31 - 2, settled)
  t.deepEqual([none, longest], [[], []])
  await clock.advance(1, settled)
  t.deepEqual([none.length, longest[0].code], [0, 'ERR_PWP_REQUEST_TIMEOUT'])
})

test.serial('whatever ends a request stops its deadline', async (t) => {
  const clock = withClock(t)
  const ends = [
    (wire) => wire.write(PIECE),
    (wire) => wire.write(CHOKE),
    (wire) => wire.cancel(3, 16, 4),
    (wire) => wire.resume().destroy(),
    (wire) => wire.write(Buffer.alloc(4, 0xff))
  ]
  await inTurn(ends, async (end) => {
    const wire = unchoked()
    const outcomes = ask(wire, { timeout: 100 })
    t.is(clock.pending, 1)
    end(wire)
    await settled()
    t.is(outcomes.length, 1)
    t.is(clock.pending, 0)
  })
})

test.serial(
  'a deadline after the abort of its signal, and the other way round, changes nothing',
  async (t) => {
    const clock = withClock(t)
    for (const isFirst of [true, false]) {
      const wire = unchoked()
      const controller = new AbortController()
      const outcomes = ask(wire, { signal: controller.signal, timeout: 10 })
      if (isFirst) controller.abort('stop')
      await clock.advance(20, settled) // oxlint-disable-line no-await-in-loop
      controller.abort('stop')
      t.is(outcomes.length, 1)
      t.is(outcomes[0].code ?? outcomes[0], isFirst ? 'stop' : 'ERR_PWP_REQUEST_TIMEOUT')
      t.is(listenersOf(controller.signal), 0)
    }
  }
)

// Async contexts

test.serial('calls back in the context of the wire after an abort or a deadline', async (t) => {
  const clock = withClock(t)
  const contexts = new AsyncLocalStorage()
  const wire = contexts.run('wire', () => unchoked())
  const controller = new AbortController()
  const calls = []
  const note = () => calls.push(contexts.getStore())
  contexts.run('request', () => {
    wire.request(3, 16, 4, { signal: controller.signal }, note)
    wire.request(3, 16, 4, { timeout: 10 }, note)
  })
  contexts.run('user', () => controller.abort())
  await clock.advance(10, settled)
  t.deepEqual(calls, ['wire', 'wire'])
})

// Mistakes

const WRONG = [
  ['signal', true],
  ['signal', {}],
  ['signal', { aborted: false }],
  ['signal', { aborted: 'no', addEventListener() {}, removeEventListener() {} }],
  ['signal', new AbortController()],
  ['signal', Object.defineProperty({}, 'aborted', { get: () => assert.fail() })],
  ['signal', runInNewContext('(function () {})')],
  ['timeout', '5'],
  ['timeout', 5n],
  ['timeout', NaN],
  ['timeout', -1],
  ['timeout', 2 ** 31],
  ['timeout', Infinity],
  ['timeout', {}]
]

for (const [index, [name, value]] of WRONG.entries()) {
  test(`names a wrong ${name}, number ${index}, and changes nothing`, (t) => {
    const wire = unchoked()
    readAll(wire)
    for (const call of [
      () => wire.request(3, 16, 4, { [name]: value }, t.fail),
      () => wire.requestBlock(3, 16, 4, { [name]: value })
    ]) {
      const error = t.throws(call, { message: new RegExp(`^options\\.${name} must be `) })
      t.true(error instanceof TypeError || error instanceof RangeError)
    }
    t.is(wire.requests.length, 0)
    t.is(readAll(wire).length, 0)
  })
}

test('refuses options and callbacks that are neither', (t) => {
  const wire = unchoked()
  for (const value of [7, 'text', true, () => {}]) {
    t.throws(() => wire.requestBlock(3, 16, 4, value), { message: 'options must be an object' })
    if (typeof value === 'function') continue
    t.throws(() => wire.request(3, 16, 4, value), { message: 'callback must be a function' })
    t.throws(() => wire.request(3, 16, 4, {}, value), { message: 'callback must be a function' })
    t.throws(() => wire.request(3, 16, 4, null, value), { message: 'callback must be a function' })
  }
  t.throws(() => wire.request(3, 16, 4, {}, {}), { message: 'callback must be a function' })
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  for (const call of ['request', 'requestBlock']) {
    t.throws(() => wire[call](3, 16, 4, [t.fail]), { message: 'options must be an object' })
    t.throws(() => wire[call](3, 16, 4, proxy), { message: 'options cannot be read' })
  }
  t.throws(() => wire.requestBlock(-1, 16, 4), { message: /^piece / })
  t.throws(() => wire.requestBlock(3, 16), { message: /^length / })
  t.is(wire.requests.length, 0)
})

test('a signal that cannot be listened to leaves the wire as it was', (t) => {
  const wire = unchoked()
  const signal = {
    aborted: false,
    addEventListener() {
      throw new Error('of the signal')
    },
    removeEventListener() {}
  }
  t.throws(() => wire.request(3, 16, 4, { signal }, t.fail), { message: 'of the signal' })
  t.is(wire.requests.length, 0)
})
