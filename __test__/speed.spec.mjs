// The option `speed` and the speed meters of a wire: with any input they terminate and stay right.
import path from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import { ROOT, capture } from '../testkit/processes/command.mjs'
import { pwp } from '../testkit/wires.mjs'

const PROGRAM = path.join(ROOT, 'testkit', 'meters.cjs')

/** A meter that never terminates grows its ring: this is enough for one that does terminate. */
const HEAP_LIMIT = '--max-old-space-size=100'

// The first meter starts the clock that all meters share: in this process it stands still.
const { setInterval } = globalThis
globalThis.setInterval = () => ({ unref() {} })
pwp()
globalThis.setInterval = setInterval

for (const speed of [0, 1, 1.1, 1.3, 2.6, 5, 7.77, 99.9, 2048.001, 16_383]) {
  test(`averages the speed over ${speed} s, however long the peer is idle between blocks`, async (t) => {
    const { code, signal, output } = await capture(process.execPath, [
      HEAP_LIMIT,
      PROGRAM,
      JSON.stringify(speed)
    ])
    t.deepEqual({ code, signal }, { code: 0, signal: null }, output.slice(0, 1000))
    const { bursts, steady, idle } = JSON.parse(output)
    t.true(
      bursts.every((average) => average >= 0 && average <= 9000),
      String(bursts)
    )
    t.true(steady >= 3000 && steady <= 4000, String(steady))
    t.is(idle, 0)
  })
}

const untouched = {
  valueOf() {
    throw new Error('valueOf was called')
  }
}

for (const [value, name] of [
  [-1, RangeError],
  [-Number.MIN_VALUE, RangeError],
  [0.3, RangeError],
  [0.999, RangeError],
  [16_383.001, RangeError],
  [1e9, RangeError],
  [Infinity, RangeError],
  [NaN, RangeError],
  ['10', TypeError],
  ['abc', TypeError],
  [true, TypeError],
  [10n, TypeError],
  [Symbol('speed'), TypeError],
  [untouched, TypeError],
  [Object.create(null), TypeError]
]) {
  test(`refuses a speed of ${inspect(value)}`, (t) => {
    t.throws(() => pwp({ speed: value }), { instanceOf: name, message: /^speed must / })
  })
}

test('accepts each way to pass no options, or no speed, that peer-wire-protocol accepts', (t) => {
  for (const options of [
    undefined,
    null,
    0,
    '',
    false,
    {},
    { speed: undefined },
    { speed: null }
  ]) {
    t.is(pwp(options).downloadSpeed(), 0)
  }
})

test('refuses options that are not an object', (t) => {
  for (const options of ['0123456789', 7, true, 1n, Symbol('options'), () => {}]) {
    t.throws(() => pwp(options), { instanceOf: TypeError, message: /^options must / })
  }
})

test('reads each option once, so that the checked value is the one it uses', (t) => {
  const reads = {}
  const options = new Proxy(
    {},
    {
      get(target, name) {
        reads[name] = (reads[name] ?? 0) + 1
        return undefined
      }
    }
  )
  pwp(options)
  t.is(reads.speed, 1)
  t.deepEqual(new Set(Object.values(reads)), new Set([1]))
})

for (const direction of ['uploadSpeed', 'downloadSpeed']) {
  test(`${direction} counts the bytes of its caller, and refuses values that would spoil its sums`, (t) => {
    const wire = pwp()
    t.is(wire[direction](1000), 1000)
    const wrong = [NaN, Infinity, -1, 0.5, 2 ** 53, '1', 'abc', true, 1n, Symbol('1'), untouched]
    for (const bytes of wrong) t.throws(() => wire[direction](bytes), { message: /^bytes must / })
    t.is(wire[direction](500), 1500)
    for (const nothing of [undefined, null, 0]) t.is(wire[direction](nothing), 1500)
  })
}
