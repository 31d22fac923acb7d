// Listeners and callbacks that throw: the exception surfaces, and a process that survives it loses nothing.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'

import { HANDSHAKE, UNCHOKE } from '../testkit/wires.mjs'
import { frame } from '../testkit/messages.mjs'

const PACKAGE = fileURLToPath(new URL('../index.js', import.meta.url))

/** Runs a script with a `wire` and `bytes`, in a process that survives what is thrown. */
const surviving = async (t, script, messages, expected, options = {}) => {
  const bytes = [HANDSHAKE, UNCHOKE, ...messages].map((message) => message.toString('hex'))
  const program = `
    const { PassThrough } = require('node:stream')
    const wire = require(${JSON.stringify(PACKAGE)})(${JSON.stringify(options)})
    const bytes = ${JSON.stringify(bytes)}.map((hex) => Buffer.from(hex, 'hex'))
    const seen = []
    process.on('uncaughtException', (error) => seen.push('thrown ' + error.message))
    const fail = (text) => { throw new Error(text) }
    process.on('exit', () => console.log(JSON.stringify(seen)))
    ${script}`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
  t.deepEqual(JSON.parse(stdout), expected)
}

const haves = [1, 2, 3, 4].map((piece) => frame(4, piece))

test('delivers the rest of a chunk after a listener has thrown', (t) =>
  surviving(
    t,
    `wire.on('have', (piece) => { seen.push(piece); if (piece % 2) fail('at ' + piece) })
     wire.write(Buffer.concat(bytes))
     seen.push(Object.keys(wire.peerPieces).join())`,
    haves,
    [1, 2, 3, 4, '1,2,3,4', 'thrown at 1', 'thrown at 3']
  ))

test('delivers chunks that were queued when a listener threw', (t) =>
  surviving(
    t,
    `wire.on('have', (piece) => { seen.push(piece); if (piece < 3) fail('at ' + piece) })
     wire.cork()
     for (const chunk of bytes) wire.write(chunk)
     wire.uncork()
     wire.end(() => seen.push('finish'))`,
    haves,
    [1, 2, 3, 4, 'thrown at 1', 'thrown at 2', 'finish']
  ))

test("closes and settles requests when a 'close' or 'error' listener throws", (t) =>
  surviving(
    t,
    `wire.resume()
     wire.on('error', (error) => fail(error.code))
     wire.on('close', () => seen.push('close'))
     wire.on('end', () => seen.push('end'))
     for (const chunk of bytes.slice(0, 2)) wire.write(chunk)
     wire.request(0, 0, 1, (error) => { seen.push(error.code); wire.destroy() })
     wire.write(bytes[2])`,
    [frame(4)],
    ['ERR_PWP_MESSAGE_LENGTH', 'close', 'thrown ERR_PWP_MESSAGE_LENGTH', 'end']
  ))

test('settles each request once when its callbacks throw', (t) =>
  surviving(
    t,
    `for (const chunk of bytes) wire.write(chunk)
     for (const piece of [1, 2, 3]) {
       wire.request(piece, 0, 1, (error) => { seen.push(piece); fail(error.message) })
     }
     wire.destroy()`,
    [],
    [1, 2, 3, 'thrown wire is closed', 'thrown wire is closed', 'thrown wire is closed']
  ))

test('leaves no stream corked when a listener of its output throws', (t) =>
  surviving(
    t,
    `const sink = new PassThrough()
     wire.pipe(sink)
     wire.unchoke()
     setImmediate(() => {
       wire.once('data', () => fail('data'))
       wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
       for (const chunk of bytes) wire.write(chunk)
       seen.push(sink.writableCorked)
     })`,
    [frame(6, 0, 0, 8192), frame(6, 1, 0, 8192)],
    [0, 'thrown data']
  ))

test('leaves no stream corked when a sink throws after it has drained', (t) =>
  surviving(
    t,
    `const { Writable } = require('node:stream')
     const waiting = []
     const sink = new Writable({ write: (chunk, encoding, callback) => waiting.push(callback) })
     wire.on('request', (piece, offset, length, respond) => respond(null, Buffer.alloc(length)))
     wire.pipe(sink)
     setImmediate(() => {
       wire.unchoke()
       wire.write(Buffer.concat(bytes))
       const { write } = sink
       sink.write = () => { sink.write = write; fail('by write') }
       const timer = setInterval(() => {
         if (waiting.length > 0) return waiting.splice(0).forEach((callback) => callback())
         clearInterval(timer)
         seen.push(sink.writableCorked)
       }, 1)
     })`,
    Array.from({ length: 400 }, (_, piece) => frame(6, piece, 0, 16 * 1024)),
    ['thrown by write', 0],
    // More than may be queued in the sink.
    { uploadBacklog: 16 * 1024 * 1024 }
  ))

test('gives the rest of the output to a reader that has thrown', (t) =>
  surviving(
    t,
    `let length = 0
     wire.on('data', (chunk) => { length += chunk.length; if (length === 18) fail('by data') })
     wire.on('request', (piece, offset, size, respond) => respond(null, Buffer.alloc(size)))
     setImmediate(() => {
       wire.unchoke()
       wire.write(Buffer.concat(bytes))
       seen.push(length)
     })`,
    [1, 2, 3, 4].map((piece) => frame(6, piece, 0, 16 * 1024)),
    [5 + 4 * (13 + 16 * 1024), 'thrown by data']
  ))
