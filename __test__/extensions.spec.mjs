// How a wire uses extensions: off unless asked for, which are refused, through proxies and copies.
import { inspect } from 'node:util'
import { EventEmitter } from 'node:events'
import test from 'ava'

import {
  EXTENDED_HANDSHAKE,
  announce,
  announced,
  extended,
  extensionOf,
  greet,
  met,
  named,
  sentBy
} from '../testkit/extensions.mjs'
import { loadCopy } from '../testkit/memory/copies.mjs'
import { PROXIES } from '../testkit/memory/proxies.mjs'
import { pwp, record } from '../testkit/wires.mjs'

const PROPERTIES = [
  'extendedHandshake',
  'extendedMapping',
  'peerExtendedMapping',
  'peerExtendedHandshake'
]

// Off unless asked for

for (const options of [undefined, {}, { extensions: false }, { extensions: undefined }]) {
  test(`reads and sends nothing by itself with ${inspect(options)}`, (t) => {
    const wire = pwp(options)
    const seen = record(wire, ['extended', 'extended-handshake'])
    const messages = []
    wire.on('extended', (id, message) => messages.push([id, message.toString('latin1')]))
    greet(wire)
    wire.write(Buffer.concat([EXTENDED_HANDSHAKE, extended(0, 'd1:mde'), extended(3, 'abc')]))
    t.deepEqual(messages, [
      [0, 'd1:mde'],
      [3, 'abc']
    ])
    t.deepEqual(seen, ['extended', 'extended'])
    t.deepEqual(sentBy(wire), ['handshake'])
    for (const name of PROPERTIES) t.is(wire[name], null, name)
    t.is(wire.stats().violations, 0)
    t.throws(() => wire.extended('ut_pex', {}), {
      instanceOf: TypeError,
      message: 'id must be a number'
    })
    wire.extended(0, { m: { a: 1 } })
    t.deepEqual(sentBy(wire), [[0, { m: { a: 1 } }]])
  })
}

for (const [how, make] of Object.entries({
  'the option': () => pwp({ extensions: true }),
  'use()': () => {
    const wire = pwp()
    wire.use(extensionOf('ut_one'))
    return wire
  }
})) {
  test(`has the properties from ${how} on`, (t) => {
    const wire = make()
    t.deepEqual(wire.extendedHandshake, {})
    t.deepEqual({ ...wire.peerExtendedMapping }, {})
    t.is(wire.peerExtendedHandshake, null)
    t.deepEqual({ ...wire.extendedMapping }, how === 'use()' ? { 1: 'ut_one' } : {})
    for (const name of ['extendedMapping', 'peerExtendedMapping']) {
      t.is(Object.getPrototypeOf(wire[name]), null)
    }
  })
}

test('refuses an option that is no boolean', (t) => {
  for (const extensions of [1, 'yes', {}, []]) {
    t.throws(() => pwp({ extensions }), { instanceOf: TypeError, message: /extensions/ })
  }
})

// use()

test('returns the instance, which is also a property, and gives ids from 1 on', (t) => {
  const wire = pwp()
  const names = ['ut_one', 'two', '3', 'ö']
  const instances = names.map((name) => wire.use(extensionOf(name)))
  for (const [index, name] of names.entries()) {
    t.is(wire[name], instances[index])
    t.is(instances[index].wire, wire)
  }
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_one', 2: 'two', 3: '3', 4: 'ö' })
})

function Plain(wire) {
  this.wire = wire
}
Plain.prototype.name = 'by function'

test('takes the name from a value, a getter, a parent class or a function', (t) => {
  class Named extends EventEmitter {}
  Named.prototype.name = 'by value'
  class Inherits extends extensionOf('by parent') {}
  const wire = met({}, [Named, Inherits, Plain, extensionOf('by getter')])
  t.deepEqual(Object.values(wire.extendedMapping), [
    'by value',
    'by parent',
    'by function',
    'by getter'
  ])
  t.is(wire['by function'].wire, wire)
})

test('reads the name once', (t) => {
  let reads = 0
  class Extension {
    get name() {
      return `read ${++reads}`
    }
    onExtendedHandshake() {
      t.is(reads, 1)
    }
  }
  const wire = met({ extensions: true })
  wire.write(announce({ m: { 'read 1': 1 } }))
  t.is(wire.use(Extension), wire['read 1'])
  t.plan(2)
})

test('goes on without the methods that an extension does not have', (t) => {
  const wire = met({}, [named('ut_silent')])
  const seen = record(wire, ['extended', 'extended-handshake'])
  wire.write(Buffer.concat([announce({ m: { ut_silent: 1 } }), extended(1, 'x')]))
  t.deepEqual(seen, ['extended', 'extended-handshake', 'extended'])
})

const NO_NAME = 'Extension class requires a "name" property on the prototype'

const REFUSALS = [
  [undefined, TypeError, 'Extension must be a class'],
  [null, TypeError, 'Extension must be a class'],
  [{ prototype: { name: 'ut_x' } }, TypeError, 'Extension must be a class'],
  ['ut_x', TypeError, 'Extension must be a class'],
  [named(undefined), Error, NO_NAME],
  [() => {}, Error, NO_NAME],
  [named(''), Error, NO_NAME],
  [named(0), Error, NO_NAME],
  [named(7), TypeError, 'Extension.prototype.name must be a string'],
  [named(Symbol('x')), TypeError, 'Extension.prototype.name must be a string'],
  [named({}), TypeError, 'Extension.prototype.name must be a string'],
  [named('\ud800'), TypeError, 'Extension.prototype.name must be in Unicode'],
  [named('a'.repeat(65)), RangeError, /at most 64 bytes/],
  [named('ö'.repeat(33)), RangeError, /at most 64 bytes/],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'destroy',
    'use',
    'extended',
    'requests',
    'peerPieces',
    'destroyed',
    'extendedHandshake',
    '_events',
    '_getSession',
    '_readableState',
    'own'
  ].map((name) => [named(name), Error, `extension name ${name} is a member of the wire`])
]

for (const [index, [Extension, kind, message]] of REFUSALS.entries()) {
  const name = Extension?.prototype?.name
  test(`refuses ${typeof Extension} ${String(name).slice(0, 70)}: ${message} (${index})`, (t) => {
    for (const options of [{}, { extensions: true }]) {
      const wire = Object.assign(pwp(options), { own: 1 })
      const keys = Reflect.ownKeys(wire)
      const mapping = wire.extendedMapping
      const error = t.throws(() => wire.use(Extension), { message })
      t.is(error.constructor, kind)
      t.deepEqual(Reflect.ownKeys(wire), keys)
      t.is(wire.extendedMapping, mapping)
      t.deepEqual({ ...mapping }, {})
      t.is(wire.own, 1)
      greet(wire)
      wire.write(EXTENDED_HANDSHAKE)
      t.deepEqual(sentBy(wire).slice(1), options.extensions ? [announced({})] : [])
    }
  })
}

test('accepts a name of 64 bytes, and refuses the same name again', (t) => {
  for (const name of ['a'.repeat(64), 'ö'.repeat(32), 'ut_x']) {
    const wire = pwp()
    const first = wire.use(extensionOf(name))
    t.throws(() => wire.use(extensionOf(name)), { message: /is a member of the wire/ })
    t.is(wire[name], first)
    t.deepEqual({ ...wire.extendedMapping }, { 1: name })
  }
})

test('uses at most 255 extensions', (t) => {
  const wire = pwp()
  for (let id = 1; id <= 255; id++) wire.use(extensionOf(`ut_${id}`))
  let made = 0
  const More = extensionOf('ut_more', [], { onUse: () => made++ })
  t.throws(() => wire.use(More), { instanceOf: RangeError, message: /at most 255 extensions/ })
  t.is(made, 0)
  t.false('ut_more' in wire)
  t.is(wire.extendedMapping[255], 'ut_255')
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  const [, [, { m }]] = sentBy(wire)
  t.is(Object.keys(m).length, 255)
  t.is(m.ut_255, 255)
})

test('refuses an extension whose constructor has used the last id', (t) => {
  const wire = pwp()
  for (let id = 1; id < 255; id++) wire.use(extensionOf(`ut_${id}`))
  const Outer = extensionOf('ut_outer', [], { onUse: () => wire.use(extensionOf('ut_inner')) })
  t.throws(() => wire.use(Outer), { instanceOf: RangeError, message: /at most 255 extensions/ })
  t.false('ut_outer' in wire)
  t.is(wire.extendedMapping[255], 'ut_inner')
})

test('changes nothing of a wire that takes no further properties', (t) => {
  const wire = met({}, [extensionOf('ut_first')])
  sentBy(wire)
  Object.preventExtensions(wire)
  t.throws(() => wire.use(extensionOf('ut_next')), { instanceOf: TypeError })
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_first' })
  t.deepEqual(sentBy(wire), [])
})

test('changes nothing if the constructor throws', (t) => {
  const Throws = extensionOf('ut_throws', [], {
    onUse: (wire) => {
      t.deepEqual(wire.extendedHandshake, {})
      throw new Error('by the constructor')
    }
  })
  for (const options of [{}, { extensions: true }]) {
    const wire = met(options)
    t.throws(() => wire.use(Throws), { message: 'by the constructor' })
    t.false('ut_throws' in wire)
    t.deepEqual(wire.extendedMapping && { ...wire.extendedMapping }, options.extensions ? {} : null)
    t.deepEqual(sentBy(wire), [])
    const seen = record(wire, ['extended', 'extended-handshake'])
    wire.write(announce({ m: { ut_throws: 1 } }))
    t.deepEqual(seen, options.extensions ? ['extended', 'extended-handshake'] : ['extended'])
    wire.use(extensionOf('ut_next'))
    t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_next' })
  }
})

test('keeps what a constructor has used before it throws', (t) => {
  const wire = met()
  const log = []
  const Outer = extensionOf('ut_outer', log, {
    onUse: () => {
      wire.use(extensionOf('ut_inner', log))
      throw new Error('too late')
    }
  })
  t.throws(() => wire.use(Outer), { message: 'too late' })
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_inner' })
  t.deepEqual(sentBy(wire), [announced({ ut_inner: 1 })])
  wire.write(Buffer.concat([announce({ m: { ut_inner: 9 } }), extended(1, 'x')]))
  t.deepEqual(
    log.map(([name, method]) => [name, method]),
    [
      ['ut_inner', 'onExtendedHandshake'],
      ['ut_inner', 'onMessage']
    ]
  )
})

test('gives an extension that a constructor uses an id of its own', (t) => {
  const log = []
  const wire = pwp()
  wire.use(extensionOf('ut_outer', log, { onUse: () => wire.use(extensionOf('ut_inner', log)) }))
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_inner', 2: 'ut_outer' })
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, extended(2, 'o'), extended(1, 'i')]))
  const messages = log.filter(([, method]) => method === 'onMessage')
  t.deepEqual(
    messages.map(([name, , message]) => [name, message.toString()]),
    [
      ['ut_outer', 'o'],
      ['ut_inner', 'i']
    ]
  )
})

test('refuses a name that the constructor has taken', (t) => {
  const wire = pwp()
  const Twice = extensionOf('ut_x', [], { onUse: () => wire.use(extensionOf('ut_x')) })
  t.throws(() => wire.use(Twice), { message: /is a member of the wire/ })
  t.deepEqual({ ...wire.extendedMapping }, { 1: 'ut_x' })
})

// Proxies and copies

for (const [title, make] of Object.entries(PROXIES)) {
  test(`uses extensions through ${title}`, (t) => {
    const wire = pwp()
    const proxy = make(wire)
    const log = []
    const instance = proxy.use(extensionOf('a', log))
    t.is(wire.a, instance)
    t.is(instance.wire, wire)
    t.throws(() => proxy.use(extensionOf('a')), { message: /is a member of the wire/ })
    greet(proxy)
    proxy.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { a: 6 }, v: 'x' })]))
    proxy.extended('a', 'text')
    t.is(proxy.peerExtendedHandshake.v, 'x')
    t.is(proxy.peerExtendedMapping.a, 6)
    t.is(proxy.extendedMapping[1], 'a')
    t.deepEqual(sentBy(wire), ['handshake', announced({ a: 1 }), [6, '4:text']])
    t.deepEqual(
      log.map(([, method]) => method),
      ['onHandshake', 'onExtendedHandshake']
    )
  })
}

test('a copy of the package keeps extensions of its own', (t) => {
  const { Wire: Copy } = loadCopy()
  const [wire, other] = [pwp({ extensions: true }), new Copy({ extensions: true })]
  wire.on('extended-handshake', () => {
    other.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { b: 2 }, v: 'other' })]))
  })
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, announce({ m: { a: 1 }, v: 'one' })]))
  t.is(wire.peerExtendedHandshake.v, 'one')
  t.is(other.peerExtendedHandshake.v, 'other')
  t.deepEqual({ ...wire.peerExtendedMapping }, { a: 1 })
  t.deepEqual({ ...other.peerExtendedMapping }, { b: 2 })
})

test('subclasses may use extensions in their constructor, and have properties of the same names', (t) => {
  class Mine extends pwp {
    extendedMapping = 'mine'
    constructor() {
      super()
      this.use(extensionOf('a'))
    }
  }
  const wire = new Mine()
  t.is(wire.extendedMapping, 'mine')
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(sentBy(wire), ['handshake', announced({ a: 1 })])
})
