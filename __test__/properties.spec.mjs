// The accessors of the prototype behave like the values of peer-wire-protocol: code may read and copy
// prototypes, and may write to wires and to other objects, without side effects.
import { once } from 'node:events'
import { finished } from 'node:stream'
import util, { promisify } from 'node:util'

import test from 'ava'

import { frame } from '../testkit/messages.mjs'
import { HANDSHAKE, UNCHOKE, greeted, pwp, record, settled, unchoked } from '../testkit/wires.mjs'

const { prototype } = pwp

/** Names of all accessors. */
const NAMES = Object.entries(Object.getOwnPropertyDescriptors(prototype))
  .filter(([, { get }]) => get !== undefined)
  .map(([name]) => name)

/** Makes a subclass without `class`. */
const subclass = (start = () => {}) => {
  function Mine() {
    start.call(this)
    pwp.call(this)
  }
  util.inherits(Mine, pwp)
  return Mine
}

/** Ways to read a prototype. */
const READINGS = {
  'a read of each accessor': () => NAMES.forEach((name) => prototype[name]),
  'util.inspect with getters': () => util.inspect(prototype, { getters: true, showHidden: true }),
  'for in': () => {
    for (const name in prototype) void prototype[name]
  },
  'Object.assign to a prototype': () => Object.assign(subclass().prototype, prototype),
  'a copy of all its names': () => {
    const Mine = subclass()
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name !== 'constructor') Mine.prototype[name] = prototype[name]
    }
    const wire = new Mine()
    wire.write(HANDSHAKE)
    wire.write(frame(4, 1))
    if (!wire.peerPieces[1] || !wire.amChoking) throw new Error('lost its properties')
  }
}

for (const [name, read] of Object.entries(READINGS)) {
  test(`${name} changes no wire`, (t) => {
    t.notThrows(read)
    const [one, other] = [greeted(), greeted()]
    t.deepEqual(Object.keys(one), Object.keys(other))
    t.not(one.peerPieces, other.peerPieces)
    one.write(frame(4, 3))
    other.write(frame(5, Buffer.from([0b01000000])))
    t.deepEqual(Object.keys(one.peerPieces), ['3'])
    t.is(other.peerPieces.indexOf(true), 1)
    t.false(Object.hasOwn(prototype.peerPieces ?? {}, 3))
  })
}

test('has accessors that are not enumerable, and that are undefined without a wire', (t) => {
  t.true(NAMES.length >= 10)
  for (const name of NAMES) {
    t.false(Object.getOwnPropertyDescriptor(prototype, name).enumerable, name)
    for (const other of [prototype, {}, [], 5, 'text', null, undefined, Object.create(prototype)]) {
      const { get } = Object.getOwnPropertyDescriptor(prototype, name)
      t.is(get.call(other), undefined, name)
    }
  }
})

/** Objects that are not wires, although some refer to one. */
const FOREIGN = {
  'the prototype': () => prototype,
  'a plain object': () => ({}),
  'a frozen object': () => Object.freeze({}),
  'a number': () => 7,
  nothing: () => undefined,
  'an object made from a wire': (wire) => Object.create(wire),
  'a copy of a wire': (wire) => Object.assign(Object.create(prototype), wire),
  'a copy with non-enumerable properties': (wire) =>
    Object.defineProperties({}, Object.getOwnPropertyDescriptors(wire))
}

for (const [what, make] of Object.entries(FOREIGN)) {
  test(`writing to ${what} changes no wire`, (t) => {
    const wire = unchoked()
    const foreign = make(wire)
    for (const name of NAMES) {
      const { set } = Object.getOwnPropertyDescriptor(prototype, name)
      for (const value of [true, false, undefined, [true]]) {
        t.notThrows(() => set.call(foreign, value), name)
      }
    }
    const { amChoking, amInterested, peerChoking, destroyed, bufferedAmount } = wire
    t.deepEqual(
      { amChoking, amInterested, peerChoking, destroyed, bufferedAmount },
      {
        amChoking: true,
        amInterested: false,
        peerChoking: false,
        destroyed: false,
        bufferedAmount: 0
      }
    )
    const delivered = record(wire, ['request', 'have'])
    wire.write(Buffer.concat([frame(6, 0, 0, 1), frame(4, 2)]))
    t.deepEqual(delivered, ['have'])
    t.deepEqual(Object.keys(wire.peerPieces), ['2'])
  })
}

test('keeps a write to an object that inherits from a wire on that object', (t) => {
  const wire = greeted()
  const made = Object.create(wire)
  for (const name of ['amChoking', 'amInterested', 'peerChoking', 'peerPieces', 'destroyed']) {
    t.is(made[name], wire[name])
    made[name] = 'own'
    t.is(made[name], 'own')
    t.not(wire[name], 'own')
  }
})

test('reads and writes the wire through a proxy', (t) => {
  const wire = greeted()
  const proxy = new Proxy(wire, {})
  proxy.amChoking = false
  t.is(proxy.peerPieces, wire.peerPieces)
  const delivered = record(wire, ['request'])
  wire.write(frame(6, 0, 0, 1))
  t.deepEqual(delivered, ['request'])
  proxy.peerPieces = [true]
  wire.write(frame(4, 2))
  t.deepEqual(Object.keys(wire.peerPieces), ['0', '2'])
})

test('ignores what a subclass assigns to accessors before it calls the constructor', (t) => {
  const Mine = subclass(function () {
    this.amChoking = false
    this.amInterested = true
    this.peerPieces = [true]
    this.destroyed = true
    this.bufferedAmount = 0
  })
  const wire = new Mine()
  t.true(wire.amChoking)
  t.false(wire.amInterested)
  t.false(wire.destroyed)
  wire.write(HANDSHAKE)
  wire.write(frame(4, 2))
  t.deepEqual(Object.keys(wire.peerPieces), ['2'])
})

test('keeps what users assign to a wire under names of accessors', (t) => {
  const wire = greeted()
  wire.unchoke()
  for (const value of [0, 'theirs', undefined, { own: true }]) {
    for (const name of ['bufferedAmount', 'readableErrored', 'writableErrored']) {
      wire[name] = value
      t.is(wire[name], value)
    }
    t.is(wire.stats().bufferedAmount, frame(1).length)
  }
  t.true(Object.keys(wire).includes('bufferedAmount'))
})

// Modules are strict, so a write to a property without a setter would throw.

function Inherited() {
  pwp.call(this)
}
util.inherits(Inherited, pwp)
Inherited.prototype.destroy = function () {
  if (this.destroyed) return
  this.destroyed = true
  pwp.prototype.destroy.call(this)
}

const OLD_SUBCLASSES = {
  'a class': class extends pwp {
    destroy() {
      if (this.destroyed) return
      this.destroyed = true
      super.destroy()
    }
  },
  'a class that starts undestroyed': class extends pwp {
    constructor() {
      super()
      this.destroyed = false
    }

    destroy(error) {
      if (this.destroyed) return this
      super.destroy(error)
      this.destroyed = true
      return this
    }
  },
  'a constructor that inherits': Inherited
}

const ENDS = {
  'its destroy()': (wire) => wire.destroy(),
  'its destroy() in a listener': (wire) => {
    wire.once('have', () => wire.destroy())
    wire.write(frame(4, 1))
  },
  'the end of the peer': (wire) => wire.end(),
  'a violation': (wire) => wire.write(frame(4)),
  'both at once': (wire) => {
    wire.end()
    wire.destroy()
  }
}

for (const [kind, Old] of Object.entries(OLD_SUBCLASSES)) {
  for (const [end, act] of Object.entries(ENDS)) {
    test(`${kind} that sets destroyed ends completely by ${end}`, async (t) => {
      const wire = new Old()
      wire.resume()
      wire.write(HANDSHAKE)
      wire.write(UNCHOKE)
      const seen = record(wire, ['close', 'finish', 'end'])
      const failed = []
      for (const piece of [0, 1]) wire.request(piece, 0, 1, (error) => failed.push(error))
      act(wire)
      await settled()
      wire.destroy()
      await settled()
      t.deepEqual(seen.toSorted(), ['close', 'end', 'finish'])
      t.is(failed.filter((error) => error instanceof Error).length, 2)
      t.true(wire.destroyed)
      t.true(wire.writableFinished && wire.readableEnded)
      t.is(wire.requests.length, 0)
    })
  }
}

test('only records a write to destroyed, and keeps delivering', async (t) => {
  const wire = unchoked()
  const delivered = record(wire, ['have', 'close'])
  for (const value of [true, false, true]) {
    wire.destroyed = value
    t.is(wire.destroyed, value)
  }
  wire.write(frame(4, 1))
  wire.interested()
  t.deepEqual(delivered, ['have'])
  t.deepEqual(wire.read(), frame(2))
  wire.destroyed = false
  wire.resume()
  const ended = promisify(finished)(wire)
  wire.end()
  await Promise.all([ended, once(wire, 'close')])
  t.true(wire.destroyed)
})

for (const [how, assign] of [
  ['on the wire', (wire) => (wire.peerReserved = null)],
  ['as a property of its own', (wire) => Object.assign(wire, { peerReserved: Buffer.alloc(1) })],
  ['through a proxy', (wire) => (new Proxy(wire, {}).peerReserved = 'mine')]
]) {
  test(`peerReserved is that of the peer after its handshake, though it was written ${how}`, (t) => {
    const wire = pwp()
    t.is(wire.peerReserved, null)
    assign(wire)
    wire.write(HANDSHAKE)
    t.deepEqual(wire.peerReserved, HANDSHAKE.subarray(20, 28))
    t.is(wire.peerReserved, wire.peerReserved)
    wire.peerReserved = 'later'
    t.is(wire.peerReserved, 'later')
  })
}
