// The example scripts as their users run them, and what they do when something goes wrong.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import ava from 'ava'
import bencode from 'bencode'
import pwp from '../index.js'
import torrentFile from '../examples/lib/torrent-file.js'
import {
  hashFiles,
  makeTorrent,
  temporaryFolder,
  writeFiles,
  writeManyFiles
} from '../testkit/files.mjs'
import { startScript } from './helpers/scripts.mjs'

// Each test starts processes of its own: all at once would be too many for a small machine.
const test = ava.serial

test('the demo transfers generated data and prints a summary', async (t) => {
  const { demo, temporary } = await startDemo(t, ['--size', '8MiB'])
  t.is(await demo.ended, 0, demo.output)
  t.regex(demo.output, /^8388608 bytes in \d+\.\d\d s, \d+\.\d [MG]B\/s$/m)
  t.regex(demo.output, /^Seeder: +\d+\.\d\d CPU seconds per GB/m)
  t.regex(demo.output, /^Leecher: +\d+\.\d\d CPU seconds per GB/m)
  t.regex(demo.output, /^Compared .* 3 files without a difference$/m)
  t.deepEqual(await readdir(temporary), [])
})

test('the demo transfers a folder and leaves no other files', async (t) => {
  const folder = await temporaryFolder(t)
  await writeManyFiles(path.join(folder, 'source'))
  await writeFiles(path.join(folder, 'source'), { 'b/empty.bin': 0 })
  const { demo } = await startDemo(t, [path.join(folder, 'source')])
  t.is(await demo.ended, 0, demo.output)
  t.regex(demo.output, /5 files without a difference/)
  t.deepEqual(await readdir(folder), ['source'])
})

test('the demo transfers a single file', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { 'one.bin': 1_000_003 })
  const { demo } = await startDemo(t, [path.join(folder, 'one.bin')])
  t.is(await demo.ended, 0, demo.output)
})

test('the demo transfers the data of a .torrent', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const { demo } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 0, demo.output)
})

test('the demo fails when the data of the seeder is corrupt', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  await corrupt(path.join(source, 'b', 'c.bin'), 1_000_000)
  const { demo, temporary } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 1)
  t.regex(demo.output, /piece \d+ has a wrong SHA-1/)
  t.deepEqual(await readdir(temporary), [])
})

test('the demo fails when the data of the seeder has another length', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  await writeFile(path.join(source, 'a.bin'), 'short')
  const { demo, temporary } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 1)
  t.regex(demo.output, /a\.bin has 5 bytes, the torrent says 3000001/)
  t.deepEqual(await readdir(temporary), [])
})

test('Ctrl-C ends both processes of the demo and removes its folder', async (t) => {
  // So slow that it cannot finish before it is interrupted.
  const { demo, temporary } = await startDemo(t, ['--size', '64MiB', '--rate', '64KiB'])
  const [, seeder] = await demo.printed(/Seeder (\d+)/)
  const [, leecher] = await demo.printed(/Leecher (\d+)/)
  await demo.printed(/[1-9]\d*(\.\d+)? [KM]B of/)
  demo.interrupt()
  t.is(await demo.ended, 130)
  t.deepEqual([seeder, leecher].filter(isRunning), [])
  t.deepEqual(await readdir(temporary), [])
})

test('the scripts explain themselves and refuse wrong arguments', async (t) => {
  await Promise.all(
    ['demo.js', 'seed.js', 'leech.js'].map(async (name) => {
      const help = startScript(t, name, ['--help'])
      t.is(await help.ended, 0)
      t.regex(help.output, /^Usage: /)
      const wrong = startScript(t, name, ['--no-such-option'])
      t.is(await wrong.ended, 1)
      t.regex(wrong.output, /Unknown option/)
    })
  )
})

test('leech.js refuses a torrent whose names leave the folder', async (t) => {
  const folder = await temporaryFolder(t)
  const torrentPath = await writeTorrentWithPaths(folder, 'name', [['..', '..', 'outside']])
  const out = path.join(folder, 'out')
  const leech = startScript(t, 'leech.js', [torrentPath, '127.0.0.1:1', '--out', out])
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
    await t.throwsAsync(torrentFile.readTorrentFile(torrentPath), { message: /unsafe/ })
  })
}

test('a torrent whose sizes do not fit together is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const torrentPath = await writeTorrentWithPaths(folder, 'name', [['a'], ['b']], { pieces: 1 })
  const refusal = { message: /has 1 piece hashes for 32768 bytes/ }
  await t.throwsAsync(torrentFile.readTorrentFile(torrentPath), refusal)
})

test('leech.js overwrites no files', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const leech = startScript(t, 'leech.js', [torrentPath, '127.0.0.1:1', '--out', folder])
  t.is(await leech.ended, 1)
  t.regex(leech.output, /exists already/)
})

test('leech.js fails and leaves no files when the peer disconnects', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const { seed, address } = await startSeed(t, [torrentPath, '--data', folder, '--rate', '64KiB'])
  const out = path.join(folder, 'out')
  const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
  await leech.report('progress')
  await seed.kill()
  t.is(await leech.ended, 1)
  t.regex(leech.output, /the peer closed the connection|ECONNRESET/)
  t.deepEqual(await readdir(out), [])
})

test('leech.js fails when nobody listens', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const server = await listen()
  const { port } = server.address()
  server.close()
  const out = path.join(folder, 'out')
  const leech = startScript(t, 'leech.js', [torrentPath, `127.0.0.1:${port}`, '--out', out])
  t.is(await leech.ended, 1)
  t.regex(leech.output, /ECONNREFUSED/)
})

test('leech.js resumes after a choke', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  const chokes = []
  const server = await listen(await chokingSeeder(torrentPath, source, chokes))
  t.teardown(() => server.close())
  const out = path.join(folder, 'out')
  const address = `127.0.0.1:${server.address().port}`
  const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
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
  const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
  t.is(await leech.ended, 1)
  t.false(existsSync(path.join(out, 'source')))
})

test('seed.js writes the .torrent, overwrites none, and stops on Ctrl-C', async (t) => {
  const folder = await temporaryFolder(t)
  await writeManyFiles(path.join(folder, 'source'))
  const { seed, infoHash } = await startSeed(t, [path.join(folder, 'source')])
  const torrent = await torrentFile.readTorrentFile(path.join(folder, 'source.torrent'))
  t.is(infoHash, torrent.infoHash.toString('hex'))

  const second = startScript(t, 'seed.js', [path.join(folder, 'source')])
  t.is(await second.ended, 1)
  t.regex(second.output, /EEXIST/)

  seed.interrupt()
  t.is(await seed.ended, 130)
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
  'another protocol': (socket) => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'random bytes': (socket) => socket.write(randomBytes(100_000)),
  'a message of 4 GB': (socket, greet) => greet(Buffer.from('ffffffff07', 'hex')),
  'a short message': (socket, greet) => greet(Buffer.from('0000000206ff', 'hex')),
  'a block outside of the piece': (socket, greet) => greet(request(0, 0x7fffffff, 16384)),
  'a block that is too long': (socket, greet) => greet(request(0, 0, 128 * 1024 + 1))
})) {
  test(`seed.js drops a peer that sends or requests ${name}, and serves the next`, async (t) => {
    const { torrentPath, folder, source, infoHash } = await makeSource(t)
    const { address } = await startSeed(t, [torrentPath, '--data', folder])
    const socket = net.connect(addressOf(address)).on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.resume()
    send(socket, (bytes) => socket.write(Buffer.concat([greeting(infoHash), INTERESTED, bytes])))
    await closing(socket)

    const out = path.join(folder, 'out')
    const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
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
      const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
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
  const socket = net.connect(addressOf(address)).on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.pause()
  const requests = Array.from({ length: asked }, (_, number) => request(number % 30, 0, length))
  socket.write(Buffer.concat([greeting(infoHash), INTERESTED, ...requests]))

  // Another download takes long enough for the seeder to answer everything, if it did.
  const leftFirst = seed.report('left')
  const out = path.join(folder, 'out')
  const leech = startScript(t, 'leech.js', [torrentPath, address, '--out', out])
  t.is(await leech.ended, 0, leech.output)
  await leftFirst

  const leftNext = seed.report('left')
  socket.destroy()
  const { uploaded } = await leftNext
  t.true(uploaded > 0)
  // Most of what was sent is in the buffers of the system, which are not ours.
  t.true(uploaded < (asked * length) / 4, `${uploaded} bytes`)
})

const INTERESTED = Buffer.from('0000000102', 'hex')

function greeting(infoHash) {
  const head = Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\0\0\0', 'latin1')
  return Buffer.concat([head, infoHash, randomBytes(20)])
}

function request(piece, offset, length) {
  const message = Buffer.from('0000000d06000000000000000000000000', 'hex')
  message.writeUInt32BE(piece, 5)
  message.writeUInt32BE(offset, 9)
  message.writeUInt32BE(length, 13)
  return message
}

/** Starts the demo with a folder of its own for temporary files. */
async function startDemo(t, args) {
  const temporary = await temporaryFolder(t)
  const env = { TMPDIR: temporary, TEMP: temporary, TMP: temporary }
  return { temporary, demo: startScript(t, 'demo.js', args, env) }
}

async function startSeed(t, args) {
  const seed = startScript(t, 'seed.js', args)
  const { port, infoHash } = await seed.report('listening')
  return { seed, infoHash, address: `127.0.0.1:${port}` }
}

/** A folder with files and a .torrent that does not lie beside it. */
async function makeSource(t, options) {
  const folder = await temporaryFolder(t)
  const source = path.join(folder, 'source')
  await writeManyFiles(source)
  const torrentPath = path.join(folder, 'torrents', 'x.torrent')
  await mkdir(path.dirname(torrentPath))
  await writeFile(torrentPath, await makeTorrent(source, options))
  const { infoHash } = await torrentFile.readTorrentFile(torrentPath)
  return { folder, source, torrentPath, infoHash }
}

async function writeTorrentWithPaths(folder, name, paths, { pieces = paths.length } = {}) {
  const files = paths.map((names) => ({ length: 16384, path: names }))
  const info = { files, name, 'piece length': 16384, pieces: Buffer.alloc(20 * pieces) }
  const torrentPath = path.join(folder, 'bad.torrent')
  await writeFile(torrentPath, bencode.encode({ info }))
  return torrentPath
}

async function corrupt(file, position) {
  const handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position)
  buffer[0] ^= 1
  await handle.write(buffer, 0, 1, position)
  await handle.close()
}

async function listen(onconnection) {
  const server = net.createServer(onconnection)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function addressOf(address) {
  const [host, port] = address.split(':')
  return { host, port: Number(port) }
}

/** Unlike `once`, ignores an error before the event. */
function closing(socket) {
  return new Promise((resolve) => socket.on('close', resolve))
}

function connect(t, address) {
  const socket = net.connect(addressOf(address)).on('error', () => {})
  const wire = pwp()
  t.teardown(() => socket.destroy())
  socket.pipe(wire).pipe(socket)
  return { socket, wire }
}

/** A seeder that answers a few requests, chokes, drops the others, and unchokes. */
async function chokingSeeder(torrentPath, source, chokes) {
  const torrent = await torrentFile.readTorrentFile(torrentPath)
  const parts = await Promise.all(
    torrent.files.map((file) => readFile(path.join(source, '..', file.path)))
  )
  const bytes = Buffer.concat(parts)
  return (socket) => {
    const wire = pwp()
    socket.on('error', () => {})
    socket.pipe(wire).pipe(socket)
    wire.on('handshake', (infoHash) => {
      wire.handshake(infoHash, randomBytes(20))
      wire.bitfield(torrent.fullBitfield())
    })
    wire.on('interested', () => wire.unchoke())
    let answers = 0
    wire.on('request', (piece, offset, length, respond) => {
      const start = torrent.position(piece, offset)
      respond(null, bytes.subarray(start, start + length))
      if (++answers % 10) return
      wire.choke()
      wire.unchoke()
      chokes.push(answers)
    })
  }
}

function isRunning(pid) {
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}
