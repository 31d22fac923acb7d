// Mistakes of the local caller: they throw at once, name the argument and change nothing.
import vm from 'node:vm'

import test from 'ava'

import { frame } from './helpers/messages.mjs'
import { greeted, pwp, unchoked } from './helpers/wires.mjs'

const hash = Buffer.alloc(20)

const rejects = (title, call, expected) => {
  test(title, (t) => {
    const wire = unchoked()
    t.throws(() => call(wire), expected)
    t.is(wire.requests.length, 0)
    t.is(wire.uploaded, 0)
    t.is(wire.read(), null)
  })
}

const text = 'infoHash and peerId MUST have length 20'
rejects('handshake wants 20 bytes', (w) => w.handshake(Buffer.alloc(19), hash), { message: text })
rejects('handshake wants 40 hex digits', (w) => w.handshake('zz', hash), { message: text })
rejects('handshake wants a peer id', (w) => w.handshake(hash), {
  instanceOf: TypeError,
  message: /peerId/
})

for (const [value, instanceOf] of [
  [-1, RangeError],
  [0.5, RangeError],
  [NaN, RangeError],
  [2 ** 32, RangeError],
  ['1', TypeError],
  [undefined, TypeError]
]) {
  const named = (message) => ({ instanceOf, message })
  rejects(`have refuses ${value}`, (w) => w.have(value), named(/piece/))
  rejects(`request refuses piece ${value}`, (w) => w.request(value, 0, 1), named(/piece/))
  rejects(`request refuses offset ${value}`, (w) => w.request(0, value, 1), named(/offset/))
  rejects(`request refuses length ${value}`, (w) => w.request(0, 0, value), named(/length/))
  rejects(`cancel refuses piece ${value}`, (w) => w.cancel(value, 0, 1), named(/piece/))
  rejects(`piece refuses offset ${value}`, (w) => w.piece(0, value, hash), named(/offset/))
  rejects(`port refuses ${value}`, (w) => w.port(value), named(/port/))
  rejects(`extended refuses id ${value}`, (w) => w.extended(value, {}), named(/id/))
  rejects(
    `maxMessageLength refuses ${value ?? 'null'}`,
    () => pwp({ maxMessageLength: value ?? '' }),
    {
      message: /maxMessageLength/
    }
  )
}

rejects('port refuses 65536', (w) => w.port(65536), { instanceOf: RangeError })
rejects('extended refuses id 256', (w) => w.extended(256, {}), { instanceOf: RangeError })
rejects('extended wants a message', (w) => w.extended(0), { message: /message/ })
rejects('piece wants bytes', (w) => w.piece(0, 0, 'block'), { message: /block/ })
rejects('bitfield wants bytes', (w) => w.bitfield([1]), { message: /bitfield/ })
rejects('request wants a function', (w) => w.request(0, 0, 1, {}), { message: /callback/ })
rejects('setTimeout wants a duration', (w) => w.setTimeout(-1), { message: /ms/ })

test('takes bytes of another realm', (t) => {
  const foreign = vm.runInNewContext('new Uint8Array(20)')
  t.false(foreign instanceof Uint8Array)
  const wire = pwp()
  wire.handshake(foreign, foreign)
  wire.bitfield(foreign)
  wire.piece(0, 0, foreign)
  wire.extended(1, foreign)
  t.is(wire.readableLength, 68 + 25 + 33 + 26)
})

test('takes bitfields as bytes and as objects that wrap them', (t) => {
  const wire = pwp()
  const bits = Buffer.from([0xf0])
  for (const bitfield of [bits, new Uint8Array(bits), { buffer: bits }]) {
    wire.bitfield(bitfield)
    t.deepEqual(wire.read(), frame(5, bits))
  }
})

test('copies a bitfield, which its owner may go on changing', (t) => {
  const wire = pwp()
  const bits = Buffer.from([0xf0])
  wire.bitfield(bits)
  bits[0] = 0
  t.deepEqual(wire.read(), frame(5, Buffer.from([0xf0])))
})

test('sends bytes as they are and bencodes anything else', (t) => {
  const wire = pwp()
  wire.extended(3, Buffer.from('abc'))
  t.deepEqual(wire.read(), frame(20, Buffer.from('\x03abc')))
  wire.extended(0, { v: 'x', m: { ut_pex: 2, ut_metadata: 1 } })
  t.deepEqual(wire.read(), frame(20, Buffer.from('\0d1:md11:ut_metadatai1e6:ut_pexi2ee1:v1:xe')))
})
