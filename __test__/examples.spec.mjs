// The examples as their users run them, and what they do when something goes wrong.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import ava from 'ava'
import bencode from 'bencode'
import parseTorrent from 'parse-torrent'
import pwp from '../index.js'
import { hashFiles, makeTorrent, temporaryFolder, writeManyFiles } from '../testkit/files.mjs'
import { startScript } from './helpers/scripts.mjs'

// Each test starts processes of its own: all at once would be too many for a small machine.
const test = ava.serial

test('each script explains itself and refuses wrong arguments', async (t) => {
  await Promise.all(
    ['demo/demo.js', 'examples/seed.js', 'examples/leech.js', 'examples/inspect.js'].map(
      async (name) => {
        const help = startScript(t, name, ['--help'])
        t.is(await help.ended, 0)
        t.regex(help.output, /^Usage: /)
        const wrong = startScript(t, name, ['--no-such-option'])
        t.is(await wrong.ended, 1)
        t.regex(wrong.output, /Unknown option/)
      }
    )
  )
})

test('leech.js refuses a torrent whose names leave the folder', async (t) => {
  const folder = await temporaryFolder(t)
  const torrentPath = await writeTorrentWithPaths(folder, 'name', [['..', '..', 'outside']])
  const out = path.join(folder, 'out')
  const leech = startScript(t, 'examples/leech.js', [torrentPath, '127.0.0.1:1', out])
  t.is(await leech.ended, 1)
  t.regex(leech.output, /an unsafe file name: "\.\."/)
  t.deepEqual(await readdir(folder), [path.basename(torrentPath)])
})

for (const [name, ...paths] of [
  ['..', ['a']],
  ['', ['a']],
  ['/tmp', ['a']],
  ['name', ['a'], ['b', '..', '..', 'a']],
  ['name', ['.']],
  ['name', ['a/../../b']],
  ['name', ['..\\b']],
  ['name', ['']],
  ['name', ['a\0']],
  ['name', ['a\u001b[2J']]
]) {
  test(`a torrent with the names ${JSON.stringify([name, ...paths])} is refused`, async (t) => {
    const folder = await temporaryFolder(t)
    const torrentPath = await writeTorrentWithPaths(folder, name, paths)
    const { leech, out } = leechFrom(t, folder, torrentPath, '127.0.0.1:1')
    t.is(await leech.ended, 1)
    t.regex(leech.output, /unsafe/)
    t.false(existsSync(out))
  })
}

test('a torrent whose sizes do not fit together is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const torrentPath = await writeTorrentWithPaths(folder, 'name', [['a'], ['b']], { pieces: 1 })
  const { leech, out } = leechFrom(t, folder, torrentPath, '127.0.0.1:1')
  t.is(await leech.ended, 1)
  t.regex(leech.output, /1 piece hashes for 32768 bytes/)
  t.false(existsSync(out))
})

test('leech.js overwrites no files', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  const before = await hashFiles(source)
  const { address } = await startSeed(t, [torrentPath, '--data', folder])
  const leech = startScript(t, 'examples/leech.js', [torrentPath, address, folder])
  t.is(await leech.ended, 1)
  t.regex(leech.output, /file already exists/)
  t.deepEqual(await hashFiles(source), before)
})

for (const [how, leave] of Object.entries({
  disconnects: (socket) => socket.end(),
  'resets the connection': (socket) => socket.resetAndDestroy()
})) {
  test(`leech.js fails and leaves no files when the peer ${how}`, async (t) => {
    const { torrentPath, folder, source } = await makeSource(t)
    const address = await seedIn(t, torrentPath, source, ({ socket, answers }) => {
      if (answers === 100) leave(socket)
    })
    const { leech, out } = leechFrom(t, folder, torrentPath, address)
    t.is(await leech.ended, 1)
    t.regex(leech.output, /the peer closed the connection|ended inside a message|ECONNRESET|EPIPE/)
    t.regex(leech.output, /^20 %$/m)
    t.deepEqual(await readdir(out), [])
  })
}

test('leech.js fails and leaves no files when a piece has a wrong hash', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  await corrupt(path.join(source, 'b', 'c.bin'), 1_000_000)
  const { address } = await startSeed(t, [torrentPath, '--data', folder])
  const { leech, out } = leechFrom(t, folder, torrentPath, address)
  t.is(await leech.ended, 1)
  t.regex(leech.output, /piece \d+ has a wrong SHA-1/)
  t.deepEqual(await readdir(out), [])
})

test('leech.js fails and leaves no files when the peer has another torrent', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const server = await listen((socket) => {
    socket.on('error', () => {}).write(greeting(randomBytes(20)))
  })
  t.teardown(() => server.close())
  const { leech, out } = leechFrom(t, folder, torrentPath, addressOf(server))
  t.is(await leech.ended, 1)
  t.regex(leech.output, /peer has another torrent/)
  t.deepEqual(await readdir(out), [])
})

test('leech.js leaves no files on Ctrl-C', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  const address = await seedIn(t, torrentPath, source, ({ socket, answers }) => {
    if (answers === 100) socket.pause()
  })
  const { leech, out } = leechFrom(t, folder, torrentPath, address)
  await leech.printed(/^20 %$/m)
  leech.interrupt()
  t.is(await leech.ended, 1)
  t.regex(leech.output, /interrupted/)
  t.deepEqual(await readdir(out), [])
})

for (const args of [[], ['--native']]) {
  test(`${['leech.js', ...args].join(' ')} fails when nobody listens`, async (t) => {
    const { torrentPath, folder } = await makeSource(t)
    const server = await listen()
    const { port } = server.address()
    server.close()
    const address = `127.0.0.1:${port}`
    const out = path.join(folder, 'out')
    const leech = startScript(t, 'examples/leech.js', [torrentPath, address, out, ...args])
    t.is(await leech.ended, 1)
    t.regex(leech.output, /ECONNREFUSED/)
  })
}

test('leech.js resumes after a choke', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  const chokes = []
  const address = await seedIn(t, torrentPath, source, ({ wire, answers }) => {
    if (answers % 10) return
    wire.choke() // drops the requests that wait
    wire.unchoke()
    chokes.push(answers)
  })
  const { leech, out } = leechFrom(t, folder, torrentPath, address)
  t.is(await leech.ended, 0, leech.output)
  t.true(chokes.length > 10)
  t.deepEqual(await hashFiles(path.join(out, 'source')), await hashFiles(source))
})

test('leech.js fails when the peer breaks the protocol', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const server = await listen((socket) => socket.end(randomBytes(1000)).resume())
  t.teardown(() => server.close())
  const out = path.join(folder, 'out')
  const address = `127.0.0.1:${server.address().port}`
  const leech = startScript(t, 'examples/leech.js', [torrentPath, address, out])
  t.is(await leech.ended, 1)
  t.false(existsSync(path.join(out, 'source')))
})

test('seed.js writes the .torrent, overwrites none, and stops on Ctrl-C', async (t) => {
  const folder = await temporaryFolder(t)
  await writeManyFiles(path.join(folder, 'source'))
  const { seed, infoHash } = await startSeed(t, [path.join(folder, 'source')])
  const torrent = await parseTorrent(await readFile(path.join(folder, 'source.torrent')))
  t.is(infoHash, torrent.infoHash)

  const second = startScript(t, 'examples/seed.js', [path.join(folder, 'source')])
  t.is(await second.ended, 1)
  t.regex(second.output, /EEXIST/)

  seed.interrupt()
  t.is(await seed.ended, 'SIGINT')
})

test('seed.js refuses a folder without files, and writes no .torrent', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(path.join(folder, 'empty'))
  const seed = startScript(t, 'examples/seed.js', [path.join(folder, 'empty')])
  t.is(await seed.ended, 1)
  t.regex(seed.output, /no torrent with files/)
  t.deepEqual(await readdir(folder), ['empty'])
})

test('both peers refuse a .torrent that is none', async (t) => {
  const folder = await temporaryFolder(t)
  const torrentPath = path.join(folder, 'bad.torrent')
  await writeFile(torrentPath, 'text')
  for (const script of [
    startScript(t, 'examples/seed.js', [torrentPath]),
    leechFrom(t, folder, torrentPath, '127.0.0.1:1').leech
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- both run at the same time
    t.is(await script.ended, 1)
    t.regex(script.output, /no torrent with files/)
  }
  t.deepEqual(await readdir(folder), ['bad.torrent'])
})

test('seed.js closes a connection for another torrent', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const { address } = await startSeed(t, [torrentPath, '--data', folder])
  const { socket, wire } = connect(t, address)
  wire.handshake(randomBytes(20), randomBytes(20))
  wire.on('handshake', () => t.fail('it answered the handshake'))
  await closing(socket)
  t.pass()
})

for (const [name, send] of Object.entries({
  // So long that it is no key exchange.
  'another protocol': (socket) =>
    socket.write(`GET / HTTP/1.1\r\n${'Cookie: 1\r\n'.repeat(100)}\r\n`),
  'random bytes': (socket) => socket.write(randomBytes(100_000)),
  'a message of 4 GB': (socket, greet) => greet(Buffer.from('ffffffff07', 'hex')),
  'a short message': (socket, greet) => greet(Buffer.from('0000000206ff', 'hex')),
  'a block outside of the piece': (socket, greet) => greet(request(0, 0x7fffffff, 16384)),
  'a block that is too long': (socket, greet) => greet(request(0, 0, 128 * 1024 + 1))
})) {
  test(`seed.js drops a peer that sends or requests ${name}, and serves the next`, async (t) => {
    const { torrentPath, folder, source, infoHash } = await makeSource(t)
    const { address } = await startSeed(t, [torrentPath, '--data', folder])
    const socket = net.connect(splitAddress(address)).on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.resume()
    send(socket, (bytes) => socket.write(Buffer.concat([greeting(infoHash), INTERESTED, bytes])))
    await closing(socket)

    const out = path.join(folder, 'out')
    const leech = startScript(t, 'examples/leech.js', [torrentPath, address, out])
    t.is(await leech.ended, 0, leech.output)
    t.deepEqual(await hashFiles(path.join(out, 'source')), await hashFiles(source))
  })
}

test('seed.js ignores requests that no block can answer, and goes on serving the peer', async (t) => {
  const { torrentPath, folder, infoHash } = await makeSource(t)
  const { address } = await startSeed(t, [torrentPath, '--data', folder])
  const { wire } = connect(t, address)
  wire.handshake(infoHash, randomBytes(20))
  wire.interested()
  await once(wire, 'unchoke')
  const blocks = []
  wire.on('piece', (piece, offset, block) => blocks.push([piece, offset, block.length]))
  for (const [piece, offset, length] of [
    [0, 0, 0],
    [1, 5, 0],
    [0xffffffff, 0, 16384]
  ]) {
    wire.request(piece, offset, length)
  }
  t.is((await promisify(wire.request).call(wire, 0, 0, 100)).length, 100)
  t.deepEqual(blocks, [[0, 0, 100]])
})

test('seed.js serves several peers at a time', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  const { address } = await startSeed(t, [torrentPath, '--data', folder])
  const outs = ['1', '2', '3'].map((name) => path.join(folder, name))
  const hashes = await hashFiles(source)
  await Promise.all(
    outs.map(async (out) => {
      const leech = startScript(t, 'examples/leech.js', [torrentPath, address, out])
      t.is(await leech.ended, 0, leech.output)
      t.deepEqual(await hashFiles(path.join(out, 'source')), hashes)
    })
  )
})

test('seed.js holds little memory for a peer that sends requests and does not read', async (t) => {
  const length = 128 * 1024
  const { torrentPath, folder, infoHash } = await makeSource(t, { pieceLength: length })
  const { seed, address } = await startSeed(t, [torrentPath, '--data', folder])
  const asked = 2000
  const socket = net.connect(splitAddress(address)).on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.pause()
  const requests = Array.from({ length: asked }, (_, number) => request(number % 30, 0, length))
  socket.write(Buffer.concat([greeting(infoHash), INTERESTED, ...requests]))

  // Another download takes long enough for the seeder to answer everything, if it did.
  const { leech } = leechFrom(t, folder, torrentPath, address)
  t.is(await leech.ended, 0, leech.output)
  await seed.printed(/left after/)

  socket.destroy()
  const [, text] = await seed.printed(/left after [^]*left after (\d+) bytes/)
  const uploaded = Number(text)
  t.true(uploaded > 0)
  // Most of what was sent is in the buffers of the system, which are not ours.
  t.true(uploaded < (asked * length) / 4, `${uploaded} bytes`)
})

for (const [seeds, leeches, method] of [
  ['off', 'off', 'none'],
  ['off', 'prefer', 'none'], // on a second connection
  ['accept', 'accept', 'none'],
  ['accept', 'prefer', 'rc4'],
  ['prefer', 'require', 'rc4'],
  ['require', 'require', 'rc4']
]) {
  test(`seed.js --encryption ${seeds} serves leech.js --encryption ${leeches}: ${method}`, async (t) => {
    const { torrentPath, folder, source } = await makeSource(t)
    const args = [torrentPath, '--data', folder, '--encryption', seeds]
    const { seed, address } = await startSeed(t, args)
    const { leech, out } = leechFrom(t, folder, torrentPath, address, ['--encryption', leeches])
    t.is(await leech.ended, 0, leech.output)
    t.deepEqual(await hashFiles(path.join(out, 'source')), await hashFiles(source))
    for (const { output } of [seed, leech]) {
      t.is(/^Encryption: (\S+)$/m.exec(output)?.[1] ?? 'none', method)
    }
  })
}

for (const [seeds, leeches, expected] of [
  ['off', 'require', /before the peer sent a public key/],
  ['require', 'off', /the peer closed the connection|ECONNRESET|EPIPE/]
]) {
  test(`seed.js --encryption ${seeds} does not serve leech.js --encryption ${leeches}`, async (t) => {
    const { torrentPath, folder } = await makeSource(t)
    const args = [torrentPath, '--data', folder, '--encryption', seeds]
    const { seed, address } = await startSeed(t, args)
    const { leech, out } = leechFrom(t, folder, torrentPath, address, ['--encryption', leeches])
    t.is(await leech.ended, 1)
    t.regex(leech.output, expected)
    t.false(existsSync(path.join(out, 'source')))
    await seed.printed(/^A peer left after 0 bytes: /m)
  })
}

test('both peers refuse an unknown mode of encryption', async (t) => {
  for (const name of ['seed', 'leech']) {
    const args = ['x.torrent', '127.0.0.1:1', '--encryption', 'maybe']
    const script = startScript(t, `examples/${name}.js`, args)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.is(await script.ended, 1)
    t.regex(script.output, /--encryption must be one of off, accept, prefer, require/)
  }
})

test('seed.js says that it cannot connect to a peer, and serves others', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const server = await listen()
  const gone = addressOf(server)
  server.close()
  const args = [torrentPath, '--data', folder, '--connect', gone]
  const { seed, address } = await startSeed(t, args)
  await seed.printed(/^Cannot connect to \S+: .*ECONNREFUSED/m)
  const { leech } = leechFrom(t, folder, torrentPath, address)
  t.is(await leech.ended, 0, leech.output)
})

test('inspect.js tells what seed.js says of itself', async (t) => {
  const { torrentPath, folder, infoHash } = await makeSource(t)
  const { seed, address } = await startSeed(t, [torrentPath, '--data', folder])
  const inspection = inspectAt(t, address, infoHash)
  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^peer id +2d504e303130302d\w{24} ['"`]-PN0100-/m)
  t.regex(inspection.output, /^reserved bits +0000000000100004$/m)
  t.regex(inspection.output, /^announces +fast extension, extension protocol$/m)
  t.regex(inspection.output, /^client +'peer-wire-native seed.js'$/m)
  t.regex(inspection.output, /^request queue +2000$/m)
  t.regex(inspection.output, /^pieces +all$/m)
  t.regex(inspection.output, /^received +\d+ bytes: handshake 1, haveAll 1, extended 1$/m)
  t.regex(inspection.output, /^violation +-$/m)
  await seed.printed(/left after 0 bytes: no error/)
})

test('inspect.js counts the pieces of a peer that sends no bitfield', async (t) => {
  const { torrentPath, folder, source, infoHash } = await makeSource(t)
  const address = await seedIn(t, torrentPath, source, () => {})
  const inspection = inspectAt(t, address, infoHash)
  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^client +null$/m)
  t.regex(inspection.output, /^pieces +310 of an unknown number$/m)
  t.deepEqual((await readdir(folder)).toSorted(), ['source', 'torrents'])
})

for (const [name, send, expected] of [
  ['random bytes', (socket) => socket.write(randomBytes(1000)), /not.*handshake/i],
  ['another protocol', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n'), /not.*handshake/i],
  ['nothing and closes', (socket) => socket.end(), /the peer closed the connection/],
  ['a reset', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
  ['nothing', () => {}, /in 5000 ms/],
  ['another info hash', (socket) => socket.write(greeting(randomBytes(20))), /another torrent/]
]) {
  test(`inspect.js fails when the peer sends ${name}`, async (t) => {
    const inspection = inspectAt(t, await peerThat(t, send), randomBytes(20))
    t.is(await inspection.ended, 1)
    t.regex(inspection.output, expected)
    t.regex(inspection.output, /^inspect\.js: .+\n$/)
  })
}

test('inspect.js fails when nobody listens', async (t) => {
  const server = await listen()
  const address = addressOf(server)
  server.close()
  const inspection = inspectAt(t, address, randomBytes(20))
  t.is(await inspection.ended, 1)
  t.regex(inspection.output, /ECONNREFUSED/)
})

test('inspect.js tells what a peer said before it broke the protocol', async (t) => {
  const infoHash = randomBytes(20)
  const tooLong = Buffer.from('ffffffff07', 'hex')
  const address = await peerThat(t, (socket) => {
    socket.write(Buffer.concat([greeting(infoHash), INTERESTED, tooLong]))
  })
  const inspection = inspectAt(t, address, infoHash)
  t.is(await inspection.ended, 0, inspection.output)
  t.regex(inspection.output, /^received +\d+ bytes: handshake 1, interested 1$/m)
  t.regex(inspection.output, /^violation +.*4294967295/m)
})

for (const [name, handshake, client] of [
  ['no bencode', 'd1:v', /null/],
  ['a list', 'le', /null/],
  ['values of other types', 'd1:mle4:reqq1:x1:vi7ee', /null/],
  ['commands for a terminal', 'd1:v8:\u001b[2Jabcde', /'\\x1B\[2Jabcd'/]
]) {
  test(`inspect.js survives an extended handshake with ${name}`, async (t) => {
    const infoHash = randomBytes(20)
    const address = await peerThat(t, (socket) => {
      socket.write(Buffer.concat([greeting(infoHash, { extended: true }), extended(handshake)]))
    })
    const inspection = inspectAt(t, address, infoHash)
    t.is(await inspection.ended, 0, inspection.output)
    t.regex(inspection.output, new RegExp(`^client +${client.source}$`, 'm'))
    // oxlint-disable-next-line no-control-regex -- that is what must not be printed
    t.notRegex(inspection.output, /\u001b/)
  })
}

const INTERESTED = Buffer.from('0000000102', 'hex')

function greeting(infoHash, { extended: isExtended = false } = {}) {
  const head = Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\0\0\0', 'latin1')
  if (isExtended) head[25] = 0x10
  return Buffer.concat([head, infoHash, randomBytes(20)])
}

/** An extended handshake with these bytes. */
function extended(text) {
  const head = Buffer.from('000000001400', 'hex')
  head.writeUInt32BE(2 + text.length)
  return Buffer.concat([head, Buffer.from(text)])
}

function request(piece, offset, length) {
  const message = Buffer.from('0000000d06000000000000000000000000', 'hex')
  message.writeUInt32BE(piece, 5)
  message.writeUInt32BE(offset, 9)
  message.writeUInt32BE(length, 13)
  return message
}

async function startSeed(t, args) {
  const seed = startScript(t, 'examples/seed.js', args)
  const [, infoHash, address] = await seed.printed(/^(\w{40}) at (\S+:\d+)$/m)
  return { seed, infoHash, address }
}

/** Starts a download into a new folder. */
function leechFrom(t, folder, torrentPath, address, options = []) {
  const out = path.join(folder, 'out')
  return {
    out,
    leech: startScript(t, 'examples/leech.js', [torrentPath, address, out, ...options])
  }
}

function inspectAt(t, address, infoHash) {
  return startScript(t, 'examples/inspect.js', [address, infoHash.toString('hex')])
}

/** The address of a peer that sends something to everyone who connects. */
async function peerThat(t, send) {
  const server = await listen((socket) => {
    t.teardown(() => socket.destroy())
    socket.on('error', () => {}).resume()
    send(socket)
  })
  t.teardown(() => server.close())
  return addressOf(server)
}

/** A folder with files and a .torrent that does not lie beside it. */
async function makeSource(t, options) {
  const folder = await temporaryFolder(t)
  const source = path.join(folder, 'source')
  await writeManyFiles(source)
  const torrentPath = path.join(folder, 'torrents', 'x.torrent')
  await mkdir(path.dirname(torrentPath))
  await writeFile(torrentPath, await makeTorrent(source, options))
  const { infoHash } = await parseTorrent(await readFile(torrentPath))
  return { folder, source, torrentPath, infoHash: Buffer.from(infoHash, 'hex') }
}

async function writeTorrentWithPaths(folder, name, paths, { pieces = paths.length } = {}) {
  const files = paths.map((names) => ({ length: 16384, path: names }))
  const info = { files, name, 'piece length': 16384, pieces: Buffer.alloc(20 * pieces) }
  const torrentPath = path.join(folder, 'bad.torrent')
  await writeFile(torrentPath, bencode.encode({ info }))
  return torrentPath
}

async function corrupt(file, position) {
  const bytes = await readFile(file)
  bytes[position] ^= 1
  await writeFile(file, bytes)
}

async function listen(onconnection) {
  const server = net.createServer(onconnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function splitAddress(address) {
  const [host, port] = address.split(':')
  return { host, port: Number(port) }
}

function addressOf(server) {
  return `127.0.0.1:${server.address().port}`
}

/** Unlike `once`, ignores an error before the event. */
function closing(socket) {
  return new Promise((resolve) => socket.on('close', resolve))
}

function connect(t, address) {
  const socket = net.connect(splitAddress(address)).on('error', () => {})
  const wire = pwp()
  t.teardown(() => socket.destroy())
  socket.pipe(wire).pipe(socket)
  return { socket, wire }
}

/** Seeds from memory in this process; `onanswer` is called after each block. */
async function seedIn(t, torrentPath, source, onanswer) {
  const torrent = await parseTorrent(await readFile(torrentPath))
  const parts = await Promise.all(
    torrent.files.map((file) => readFile(path.join(source, '..', file.path)))
  )
  const bytes = Buffer.concat(parts)
  const server = await listen((socket) => {
    const wire = pwp()
    socket.on('error', () => {})
    socket.pipe(wire).pipe(socket)
    wire.on('close', () => socket.destroySoon()) // as when a key comes, which it does not know
    wire.on('handshake', (infoHash) => {
      wire.handshake(infoHash, randomBytes(20))
      for (const piece of torrent.pieces.keys()) wire.have(piece)
    })
    wire.on('interested', () => wire.unchoke())
    let answers = 0
    wire.on('request', (piece, offset, length, respond) => {
      const start = piece * torrent.pieceLength + offset
      respond(null, bytes.subarray(start, start + length))
      onanswer({ wire, socket, answers: ++answers })
    })
  })
  t.teardown(() => server.close())
  return addressOf(server)
}
