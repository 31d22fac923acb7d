// What extensions are told and when, and what happens when they or listeners throw or destroy the wire.
import test from 'ava'

import {
  EXTENDED_HANDSHAKE,
  INFO_HASH,
  PEER_ID,
  announce,
  announced,
  extended,
  extensionOf,
  greet,
  met,
  sentBy
} from '../testkit/extensions.mjs'
import { frame } from '../testkit/messages.mjs'
import { surviving } from '../testkit/surviving.mjs'
import { pwp, record, settled } from '../testkit/wires.mjs'

test('tells extensions of the handshake in hex, after its listeners, in the order of use', (t) => {
  const log = []
  const wire = pwp()
  wire.use(extensionOf('b', log))
  wire.use(extensionOf('a', log))
  wire.on('handshake', () => {
    log.push('listener')
    wire.use(extensionOf('late', log))
  })
  wire.write(EXTENDED_HANDSHAKE)
  const told = [INFO_HASH.toString('hex'), PEER_ID.toString('hex'), { dht: false, extended: true }]
  t.deepEqual(log, [
    'listener',
    ['b', 'onHandshake', ...told],
    ['a', 'onHandshake', ...told],
    ['late', 'onHandshake', ...told]
  ])
})

test('tells an extension of the handshake that another one uses when it is told', (t) => {
  const log = []
  const wire = pwp()
  const use = () => wire.use(extensionOf('second', log))
  wire.use(extensionOf('first', log, { onHandshake: use }))
  greet(wire)
  wire.write(EXTENDED_HANDSHAKE)
  t.deepEqual(
    log.map(([name]) => name),
    ['first', 'second']
  )
  t.deepEqual(sentBy(wire), ['handshake', announced({ first: 1, second: 2 })])
})

test('tells nothing of a handshake that came before use()', (t) => {
  const log = []
  const wire = pwp()
  wire.write(EXTENDED_HANDSHAKE)
  wire.use(extensionOf('late', log))
  t.deepEqual(log, [])
})

test('tells only extensions that the peer lists of its extended handshake', (t) => {
  const log = []
  const wire = met({}, [extensionOf('a', log), extensionOf('b', log), extensionOf('c', log)])
  log.length = 0
  wire.write(announce({ m: { c: 4, a: 9, d: 1 } }))
  t.deepEqual(log, [
    ['a', 'onExtendedHandshake', wire.peerExtendedHandshake],
    ['c', 'onExtendedHandshake', wire.peerExtendedHandshake]
  ])
  log.length = 0
  wire.write(announce({ m: { a: 0, b: 1 } }))
  t.deepEqual(
    log.map(([name]) => name),
    ['b', 'c']
  )
  log.length = 0
  wire.use(extensionOf('d', log))
  t.deepEqual(log, [['d', 'onExtendedHandshake', wire.peerExtendedHandshake]])
  wire.use(extensionOf('e', log))
  t.is(log.length, 1)
})

test('tells an extension once that is used while others are told', (t) => {
  const log = []
  const use = (wire) => 'b' in wire || wire.use(extensionOf('b', log))
  const wire = met({}, [extensionOf('a', log, { onExtendedHandshake: use })])
  log.length = 0
  wire.write(announce({ m: { a: 1, b: 2 } }))
  t.deepEqual(
    log.map(([name, method]) => [name, method]),
    [
      ['a', 'onExtendedHandshake'],
      ['b', 'onExtendedHandshake']
    ]
  )
})

test('tells an extension once if the peer answers in the call of use()', async (t) => {
  const log = []
  const wire = met({}, [extensionOf('a')])
  wire.write(announce({ m: { b: 2 } }))
  wire.once('data', () => wire.write(announce({ m: { b: 3 } })))
  await settled()
  wire.use(extensionOf('b', log))
  t.deepEqual(log, [['b', 'onExtendedHandshake', wire.peerExtendedHandshake]])
  t.is(wire.peerExtendedMapping.b, 3)
})

const payloadFor = (id) => Buffer.from(`to ${id}`)

test('gives messages to the extension of their id, and others to listeners only', (t) => {
  const log = []
  const wire = met({}, [extensionOf('a', log), extensionOf('b', log)])
  log.length = 0
  wire.on('extended', (id, message) => log.push(['raw', id, message]))
  for (const id of [2, 1, 3, 255]) wire.write(extended(id, `to ${id}`))
  t.deepEqual(log, [
    ['b', 'onMessage', payloadFor(2)],
    ['raw', 2, payloadFor(2)],
    ['a', 'onMessage', payloadFor(1)],
    ['raw', 1, payloadFor(1)],
    ['raw', 3, payloadFor(3)],
    ['raw', 255, payloadFor(255)]
  ])
  t.true(Buffer.isBuffer(log[0][2]))
})

test('calls extensions first, then listeners of the raw message, then of the decoded one', (t) => {
  const log = []
  const wire = met({}, [extensionOf('a', log)])
  log.length = 0
  wire.on('extended-handshake', (handshake) => log.push(['decoded', handshake]))
  wire.on('extended', (id, message) => log.push(['raw', id, message]))
  wire.write(announce({ m: { a: 1 }, v: 'x' }))
  const { peerExtendedHandshake } = wire
  t.deepEqual(log, [
    ['a', 'onExtendedHandshake', peerExtendedHandshake],
    ['raw', 0, Buffer.from('d1:md1:ai1ee1:v1:xe')],
    ['decoded', peerExtendedHandshake]
  ])
  t.is(log[2][1], peerExtendedHandshake)
})

// Ends

const fail = (text) => () => {
  throw new Error(text)
}

const POINTS = {
  onHandshake: EXTENDED_HANDSHAKE,
  onExtendedHandshake: announce({ m: { a: 1, b: 2 } }),
  onMessage: extended(1, 'x')
}

for (const [at, method] of Object.keys(POINTS).entries()) {
  test(`delivers nothing more once an extension destroys the wire in ${method}`, async (t) => {
    const log = []
    const wire = pwp()
    wire.use(extensionOf('a', log, { [method]: () => wire.destroy() }))
    wire.use(extensionOf('b', log))
    greet(wire)
    const seen = record(wire, ['extended', 'extended-handshake', 'have', 'close'])
    wire.write(Buffer.concat([...Object.values(POINTS), frame(4, 1)]))
    const calls = log.map(([name, called]) => `${name} ${called}`)
    t.is(calls.at(-1), `a ${method}`)
    t.is(calls.length, [1, 3, 5][at])
    t.is(seen.at(-1), 'close')
    t.false(seen.includes('have'))
    t.deepEqual(seen.length, [1, 1, 3][at])
    t.is(sentBy(wire).length, at === 0 ? 1 : 2)
    await settled()
    t.true(wire.destroyed)
  })
}

for (const event of ['handshake', 'extended', 'extended-handshake']) {
  test(`delivers nothing more once a listener destroys the wire at '${event}'`, (t) => {
    const log = []
    const wire = met({}, event === 'handshake' ? [] : [extensionOf('a', log)])
    const other = event === 'handshake' ? pwp() : wire
    if (event === 'handshake') other.use(extensionOf('a', log))
    log.length = 0
    other.on(event, () => other.destroy())
    const seen = record(other, ['extended', 'extended-handshake', 'have'])
    const bytes = [announce({ m: { a: 1 } }), extended(1, 'x'), frame(4, 1)]
    other.write(Buffer.concat(event === 'handshake' ? [EXTENDED_HANDSHAKE, ...bytes] : bytes))
    t.deepEqual(
      log.map(([, method]) => method),
      event === 'handshake' ? [] : ['onExtendedHandshake']
    )
    const expected = { handshake: [], extended: ['extended'] }[event]
    t.deepEqual(seen, expected ?? ['extended', 'extended-handshake'])
  })
}

for (const when of ['at once', 'after its end']) {
  test(`methods on a closed wire do no harm: ${when}`, async (t) => {
    const log = []
    const wire = met({}, [extensionOf('a', log)])
    wire.write(announce({ m: { a: 4, c: 5 }, v: 'x' }))
    log.length = 0
    wire.resume()
    wire.destroy()
    if (when === 'after its end') await settled()
    const late = wire.use(extensionOf('c', log))
    t.is(wire.c, late)
    t.notThrows(() => wire.extended('a', 'x'))
    t.notThrows(() => wire.extended(0, { m: {} }))
    t.throws(() => wire.extended('b', 'x'), { message: 'Unrecognized extension: b' })
    wire.write(Buffer.concat([announce({ m: { a: 1 } }), extended(1, 'x')]))
    t.deepEqual(log, [])
    t.is(wire.peerExtendedHandshake.v, 'x')
    t.is(wire.peerExtendedMapping.a, 4)
    const fresh = pwp()
    fresh.resume()
    fresh.destroy()
    if (when === 'after its end') await settled()
    t.is(fresh.use(extensionOf('a')), fresh.a)
  })
}

test.serial('lets what an extension throws surface as of a listener, and goes on', async (t) => {
  const log = []
  let wire
  const thrown = await surviving(() => {
    wire = pwp()
    const act = {
      onHandshake: fail('in onHandshake'),
      onExtendedHandshake: fail('in onExtendedHandshake'),
      onMessage: fail('in onMessage')
    }
    wire.use(extensionOf('a', log, act))
    wire.use(extensionOf('b', log))
    greet(wire)
    for (const event of ['handshake', 'extended', 'extended-handshake']) {
      wire.on(event, (id) => {
        log.push(event)
        throw new Error(`at ${event} ${Number.isInteger(id) ? id : ''}`)
      })
    }
    wire.on('have', (piece) => log.push(`have ${piece}`))
    wire.write(Buffer.concat([...Object.values(POINTS), frame(4, 1)]))
    t.deepEqual(sentBy(wire), ['handshake', announced({ a: 1, b: 2 })])
  })
  t.deepEqual(thrown, [
    'at handshake ',
    'in onHandshake',
    'in onExtendedHandshake',
    'at extended 0',
    'at extended-handshake ',
    'in onMessage',
    'at extended 1'
  ])
  t.deepEqual(
    log.map((entry) => (typeof entry === 'string' ? entry : `${entry[0]} ${entry[1]}`)),
    [
      'handshake',
      'a onHandshake',
      'b onHandshake',
      'a onExtendedHandshake',
      'b onExtendedHandshake',
      'extended',
      'extended-handshake',
      'a onMessage',
      'extended',
      'have 1'
    ]
  )
  t.false(wire.destroyed)
  t.is(wire.error, null)
})

test.serial(
  'lets a method that cannot be read surface, and an extendedHandshake as well',
  async (t) => {
    class Broken {
      get onMessage() {
        throw new Error('no method')
      }
    }
    Broken.prototype.name = 'ut_broken'
    const thrown = await surviving(() => {
      const wire = pwp()
      wire.use(Broken)
      wire.extendedHandshake.v = true
      t.notThrows(() => greet(wire))
      t.notThrows(() => wire.write(Buffer.concat([EXTENDED_HANDSHAKE, extended(1, 'x')])))
      wire.extendedHandshake.v = 'x'
      wire.extended(0, null)
      wire.extendedHandshake.v = true
      t.truthy(wire.use(extensionOf('ut_next')))
      t.deepEqual(sentBy(wire), ['handshake', announced({ ut_broken: 1 }, { v: 'x' })])
    })
    t.is(thrown.length, 3)
    t.regex(thrown[0], /^message\.v must be/)
    t.is(thrown[1], 'no method')
    t.regex(thrown[2], /^message\.v must be/)
  }
)

test('an extension may write to the wire, and is then called in turn', (t) => {
  const log = []
  const wire = pwp()
  wire.use(
    extensionOf('a', log, {
      onMessage: (_, message) => {
        if (message.toString() === 'first') wire.write(extended(1, 'nested'))
        log.push('done')
      }
    })
  )
  wire.write(Buffer.concat([EXTENDED_HANDSHAKE, extended(1, 'first'), extended(1, 'second')]))
  const [, ...rest] = log
  t.deepEqual(
    rest.map((entry) => (entry === 'done' ? entry : entry[2].toString())),
    ['first', 'done', 'second', 'done', 'nested', 'done']
  )
})
