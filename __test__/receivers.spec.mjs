// Methods that are called on something other than a wire: on objects that stand for one, and on others.
import { spawnSync } from 'node:child_process'
import test from 'ava'
import { ROOT } from '../testkit/processes/command.mjs'
import { encodeHandshake, frame } from '../testkit/messages.mjs'
import { METHOD_CALLS as CALLS } from '../testkit/method-calls.mjs'
import { PROXIES } from '../testkit/memory/proxies.mjs'
import { readAll } from '../testkit/read-all.mjs'
import { HANDSHAKE, UNCHOKE, greeted, pwp, record, settled } from '../testkit/wires.mjs'

const ID = Buffer.alloc(20, 1)

test('covers every public method', (t) => {
  const names = Object.keys(pwp.prototype).filter((name) => !name.startsWith('_'))
  const methods = names.filter((name) => {
    const { value } = Object.getOwnPropertyDescriptor(pwp.prototype, name)
    return typeof value === 'function'
  })
  t.deepEqual(
    methods.toSorted(),
    Object.keys(CALLS).filter((name) => !name.startsWith('_'))
  )
})

for (const [title, make] of Object.entries(PROXIES)) {
  test(`works through ${title}`, async (t) => {
    const wire = pwp()
    const proxy = make(wire)
    const output = []
    wire.on('data', (bytes) => output.push(bytes))
    const seen = record(wire, ['handshake', 'unchoke', 'request', 'finish', 'close'])
    proxy.handshake(ID, ID)
    proxy.write(Buffer.concat([HANDSHAKE, UNCHOKE]))
    proxy.unchoke()
    proxy.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length, 3)))
    proxy.write(frame(6, 4, 0, 5000))
    const answers = []
    proxy.request(1, 2, 4, (error, block) => answers.push(error ?? block.toString()))
    proxy.write(frame(7, 1, 2, Buffer.from('abcd')))
    proxy.request(9, 9, 9, (error) => answers.push(error.message))
    t.false(wire.peerChoking)
    t.is(proxy.peerRequests.length, 0)
    t.is(proxy.destroy(), proxy)
    await settled()
    t.deepEqual(answers, ['abcd', 'wire is closed'])
    t.deepEqual(seen, ['handshake', 'unchoke', 'request', 'close', 'finish'])
    const expected = [
      encodeHandshake({
        reserved: [0, 0, 0, 0, 0, 0x10, 0, 0],
        infoHash: { size: 0 },
        peerId: { size: 0 }
      }),
      ID,
      ID,
      frame(1),
      frame(7, 4, 0, Buffer.alloc(5000, 3)),
      frame(6, 1, 2, 4),
      frame(6, 9, 9, 9)
    ]
    t.deepEqual(Buffer.concat(output), Buffer.concat(expected))
  })

  test(`releases a slot once when a wire ends through ${title}`, (t) => {
    const index = Object.keys(PROXIES).indexOf(title)
    const program = `
      import { endThroughProxies } from './testkit/memory/proxied-ends.mjs'
      await endThroughProxies(${index})
    `
    const args = ['--expose-gc', '--input-type=module', '--eval', program]
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' })
    t.is(status, 0, stderr)
  })
}

const FOREIGN = {
  'an object that has the core of a wire': (wire) => ({ core: wire._getSession().core }),
  'an object that has a session of its own making': (wire) => ({
    _getSession: () => ({ ...wire._getSession(), wire })
  }),
  'a prototype': () => pwp.prototype,
  nothing: () => undefined,
  'a function': () => () => {}
}

for (const [title, make] of Object.entries(FOREIGN)) {
  test(`methods refuse ${title}`, (t) => {
    const wire = greeted()
    for (const [name, args] of Object.entries(CALLS)) {
      const call = () => pwp.prototype[name].apply(make(wire), args)
      t.throws(call, { instanceOf: TypeError, message: /must be a Wire/ }, name)
    }
    wire.have(1)
    t.deepEqual(wire.read(), frame(4, 1))
  })
}

test('methods on copies of its properties act on the wire itself', (t) => {
  const wire = greeted()
  const copies = [
    { ...wire },
    Object.assign({}, wire),
    Object.defineProperties({}, Object.getOwnPropertyDescriptors(wire))
  ]
  for (const [index, copy] of copies.entries()) {
    const block = Buffer.alloc(5000, index)
    pwp.prototype.piece.call(copy, index, 2, block)
    wire.interested()
    pwp.prototype.have.call(copy, index)
    wire.uninterested()
    const sent = [frame(7, index, 2, block), frame(2), frame(4, index), frame(3)]
    t.deepEqual(readAll(wire), Buffer.concat(sent))
  }
})
