// leech.js with magnet links: what a peer sends as metadata is no more to be trusted than a .torrent.
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { existsSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import ava from 'ava'
import bencode from 'bencode'
import { hashFiles, temporaryFolder } from '../testkit/files.mjs'
import { listen, makeTransfer, wireOver } from './helpers/clients.mjs'
import { startScript } from './helpers/scripts.mjs'

// Each test starts processes of its own: all at once would be too many for a small machine.
const test = ava.serial

for (const shape of ['a file', 'a folder', 'a large file']) {
  test(`leech.js downloads ${shape} by magnet link from seed.js`, async (t) => {
    const { torrentPath, data, copy } = await makeTransfer(t, shape)
    const seed = startScript(t, 'examples/seed.js', [torrentPath, '--data', data])
    const [, infoHash, address] = await seed.printed(/^(\w{40}) at (\S+:\d+)$/m)
    const leech = startScript(t, 'examples/leech.js', [linkTo(infoHash), address, copy])
    t.is(await leech.ended, 0, leech.output)
    t.deepEqual(await hashFiles(copy), await hashFiles(data))
  })
}

for (const [name, info, expected] of [
  ['names that leave the folder', infoWith({ name: '..' }), /an unsafe file name: "\.\."/],
  ['a name with commands for a terminal', infoWith({ name: '\u001b[2J' }), /unsafe/],
  ['bad sizes', infoWith({ length: 16385 }), /1 piece hashes for 16385 bytes/],
  ['no pieces', infoWith({ pieces: '' }), /0 piece hashes for 16384 bytes/],
  ['no dictionary', Buffer.from('le'), /no torrent with files/],
  ['no bencode', Buffer.from('text'), /no torrent with files/]
]) {
  test(`leech.js refuses metadata with ${name}`, async (t) => {
    const { leech, out } = await leechFrom(t, info, (wire) => wire.serveMetadata(info))
    t.is(await leech.ended, 1)
    t.regex(leech.output, expected)
    // oxlint-disable-next-line no-control-regex -- that is what must not be printed
    t.notRegex(leech.output, /\u001b/)
    t.false(existsSync(out))
  })
}

test('leech.js refuses metadata of another info hash', async (t) => {
  const info = infoWith({ name: 'other' })
  const { leech, out } = await leechFrom(t, infoWith(), (wire) => {
    wire.extendedHandshake.metadata_size = info.length
    answerWith(wire, (piece) => [
      Buffer.from(`d8:msg_typei1e5:piecei${piece}e10:total_sizei${info.length}ee`),
      info
    ])
  })
  t.is(await leech.ended, 1)
  t.regex(leech.output, /^leech\.js: .+\n$/)
  t.false(existsSync(out))
})

test('leech.js fails when the peer has no metadata', async (t) => {
  const { leech, out } = await leechFrom(t, infoWith(), () => {})
  t.is(await leech.ended, 1)
  t.regex(leech.output, /^leech\.js: .+\n$/)
  t.false(existsSync(out))
})

for (const [how, leave, expected] of [
  ['disconnects', (socket) => socket.end(), /clos/],
  ['resets the connection', (socket) => socket.resetAndDestroy(), /ECONNRESET|EPIPE/]
]) {
  test(`leech.js fails when the peer ${how} instead of sending metadata`, async (t) => {
    const { leech, out } = await leechFrom(t, infoWith(), (wire, socket) => {
      wire.extendedHandshake.metadata_size = 100
      answerWith(wire, () => leave(socket))
    })
    t.is(await leech.ended, 1)
    t.regex(leech.output, expected)
    t.false(existsSync(out))
  })
}

test('leech.js stops on Ctrl-C while it waits for metadata', async (t) => {
  const { leech, out, isAsked } = await leechFrom(t, infoWith(), (wire) => {
    wire.extendedHandshake.metadata_size = 100
    answerWith(wire, () => null)
  })
  await isAsked
  leech.interrupt()
  t.is(await leech.ended, 1)
  t.regex(leech.output, /interrupted/)
  t.false(existsSync(out))
})

test('leech.js fails when nobody listens for its request of metadata', async (t) => {
  const server = net.createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  const leech = startScript(t, 'examples/leech.js', [linkTo('ab'.repeat(20)), `127.0.0.1:${port}`])
  t.is(await leech.ended, 1)
  t.regex(leech.output, /ECONNREFUSED/)
})

for (const link of [
  'magnet:',
  'magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C',
  `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`,
  'magnet:?dn=%'
]) {
  test(`leech.js refuses the link ${link}`, async (t) => {
    const leech = startScript(t, 'examples/leech.js', [link, '127.0.0.1:1'])
    t.is(await leech.ended, 1)
    t.regex(leech.output, /no magnet link to a torrent of version 1/)
  })
}

const linkTo = (infoHash) => `magnet:?xt=urn:btih:${infoHash}&dn=x`

/** Metadata of a file of one piece. */
function infoWith(fields) {
  const info = { length: 16384, name: 'x', 'piece length': 16384, pieces: randomBytes(20) }
  return bencode.encode({ ...info, ...fields })
}

/** Starts a download from a peer that has the torrent, or says so; `isAsked` settles with its first message. */
async function leechFrom(t, info, prepare) {
  const infoHash = createHash('sha1').update(info).digest()
  const out = path.join(await temporaryFolder(t), 'out')
  const asked = new EventEmitter()
  const { host, port } = await listen(t, (socket) => {
    const wire = wireOver(t, socket, { extensions: true })
    prepare(wire, socket)
    wire.on('extended', (id) => id !== 0 && asked.emit('asked'))
    wire.once('handshake', () => wire.handshake(infoHash, randomBytes(20)))
  })
  const args = [linkTo(infoHash.toString('hex')), `${host}:${port}`, out]
  return { leech: startScript(t, 'examples/leech.js', args), out, isAsked: once(asked, 'asked') }
}

/** Answers requests for metadata with these bytes, if any. */
function answerWith(wire, answer) {
  class UtMetadata {
    onMessage(message) {
      const { piece } = bencode.decode(message)
      const parts = answer(piece)
      if (Array.isArray(parts)) wire.extended('ut_metadata', Buffer.concat(parts))
    }
  }
  Object.defineProperty(UtMetadata.prototype, 'name', { value: 'ut_metadata' })
  wire.use(UtMetadata)
}
