// The samples of the README as its readers run them, also with peers that break the rules.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'

import { makeExtension } from '../index.js'
import { frame } from '../testkit/messages.mjs'
import { EVENTS } from '../testkit/sessions/session-runner.mjs'
import { HANDSHAKE, unchoked } from '../testkit/wires.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The JavaScript in a section. */
const samplesOf = (title) => {
  const [, section] = README.split(`\n## ${title}\n`)
  const [text] = section.split('\n## ')
  return [...text.matchAll(/```js\n(.+?)```/gs)].map(([, code]) => code)
}

const [serve, ask] = samplesOf('Usage')
const [native] = samplesOf('Native sockets')

const runSample = async (code) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
  return stdout
}

test('the usage samples transfer a block', async (t) => {
  t.is(await runSample(serve + ask), 'got 16384 bytes\n')
})

test('the sample of native sockets transfers a piece', async (t) => {
  t.is(await runSample(native), 'got 1048576 bytes\n')
})

const INFO_HASH = Buffer.from('0123456789abcdef0123456789abcdef01234567', 'hex')

const greeting = (infoHash) =>
  Buffer.concat([HANDSHAKE.subarray(0, 28), infoHash, HANDSHAKE.subarray(48)])

const greeted = (bytes) => Buffer.concat([greeting(INFO_HASH), bytes])

/** What a peer does, without ever ending its side. */
const PEERS = {
  'speaks another protocol': (socket) => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  'wants another torrent': (socket) => socket.write(greeting(Buffer.alloc(20, 7))),
  'announces 4 GB': (socket) => socket.write(greeted(Buffer.from('ffffffff07', 'hex'))),
  'sends half a have': (socket) => socket.write(greeted(frame(4, Buffer.alloc(2)))),
  'requests 1 GB': (socket) => socket.write(greeted(frame(6, 0, 0, 2 ** 30))),
  'resets the connection': (socket) => socket.resetAndDestroy()
}

for (const [what, act] of Object.entries(PEERS)) {
  test(`the serving sample frees the socket of a peer that ${what}`, async (t) => {
    const server = startServer(t)
    await once(server, 'listening')
    const address = { port: server.address().port, host: '127.0.0.1' }
    const peer = net.connect({ ...address, allowHalfOpen: true }).on('error', () => {})
    t.teardown(() => peer.destroy())
    peer.resume()
    const [[socket]] = await Promise.all([once(server, 'connection'), once(peer, 'connect')])
    act(peer)
    await new Promise((resolve) => socket.on('close', resolve))
    t.true(socket.destroyed)
  })
}

for (const code of samplesOf('API')) {
  const [title] = code.split('\n')
  test(`the sample "${title}" runs, and names only what exists`, (t) => {
    const wire = unchoked()
    for (const [, name] of code.matchAll(/wire\.(\w+)/g)) t.true(name in wire, name)
    for (const [, name] of code.matchAll(/wire\.on\('([\w-]+)'/g)) t.true(EVENTS.includes(name))
    const bytes = Buffer.alloc(20, 1)
    const block = { piece: 0, offset: 0, length: 1 }
    const { signal } = new AbortController()
    for (const name of ['metadata', 'requestBlock']) ignoreRejections(wire, name)
    const values = { Extension, signal, infoHash: bytes, peerId: bytes, buffer: bytes, ...block }
    const names = Object.keys(values)
    const run = new Function('wire', 'i', ...names, code)
    t.notThrows(() => run(wire, 0, ...Object.values(values)))
    wire.destroy()
  })
}

/** Their promises are rejected at the end, and the sample leaves that to its reader. */
function ignoreRejections(wire, name) {
  const method = wire[name]
  wire[name] = function (...args) {
    const promise = method.apply(this, args)
    promise.catch(() => {})
    return promise
  }
}

/** One as npm has them. */
const Extension = makeExtension('lt_of_readme')

/** The server of the sample, in this process: what it throws is an uncaught exception of this test. */
function startServer(t) {
  const server = new Function('require', `${serve}\nreturn server`)(createRequire(import.meta.url))
  t.teardown(() => server.close())
  return server
}
