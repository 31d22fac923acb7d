// Sources of serve(): files that are there, that change and that are gone, and options.
/* oxlint-disable no-await-in-loop -- each step follows from the one before */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'ava'
import { temporaryFolder } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'
import {
  CONTENT,
  COUNT,
  LENGTH,
  PIECE_LENGTH,
  fetchPiece,
  fetcher,
  inFiles,
  pieceOf,
  serveSource
} from './helpers/serving.mjs'

test('padding is zeros, and not read', async (t) => {
  const folder = await temporaryFolder(t)
  const name = path.join(folder, 'a')
  await writeFile(name, CONTENT.subarray(0, 1000))
  const source = new pwp.PieceSource({
    pieceLength: PIECE_LENGTH,
    files: [
      { path: name, length: 1000 },
      { padding: true, length: PIECE_LENGTH - 1000 },
      { path: name, length: 1000 }
    ]
  })
  const wire = fetcher(t, await serveSource(t, source))
  const first = await wire.fetchPiece(0, { length: PIECE_LENGTH })
  const zeros = Buffer.alloc(PIECE_LENGTH - 1000)
  t.true(first.equals(Buffer.concat([CONTENT.subarray(0, 1000), zeros])))
  t.true((await wire.fetchPiece(1, { length: 1000 })).equals(CONTENT.subarray(0, 1000)))
  source.close()
})

test('pieces of files that are not there yet are served once they are', async (t) => {
  const bits = Buffer.alloc(Math.ceil(COUNT / 8))
  const { source, files } = await inFiles(t, { pieces: bits })
  const wire = fetcher(t, await serveSource(t, source))
  t.is((await t.throwsAsync(fetchPiece(wire, 2))).code, 'ERR_PWP_PIECE_REJECTED')
  source.add(2)
  t.true((await fetchPiece(wire, 2)).equals(pieceOf(2)))
  // While others of the file are missing, it is being written.
  await utimes(files[3].path, 1000, 1000)
  t.true((await fetchPiece(wire, 2)).equals(pieceOf(2)))
  t.is(source.failures, 0)
})

const CHANGES = {
  'is truncated': [(name) => truncate(name, 10), 'ERR_PWP_FILE_CHANGED'],
  'has another time': [(name) => utimes(name, 1000, 1000), 'ERR_PWP_FILE_CHANGED'],
  'is longer': [(name, length) => truncate(name, length + 1), 'ERR_PWP_FILE_CHANGED'],
  'is deleted': [(name) => rm(name), 'ENOENT'],
  'is replaced': [
    async (name, length) => {
      await writeFile(`${name} new`, Buffer.alloc(length))
      await rename(`${name} new`, name)
    },
    'ERR_PWP_FILE_CHANGED'
  ]
}

for (const [title, [change, code]] of Object.entries(CHANGES)) {
  test(`a file that ${title} is an error, and its pieces are rejected`, async (t) => {
    const { source, files } = await inFiles(t)
    const wire = fetcher(t, await serveSource(t, source))
    const { path: name, length } = files.at(-1)
    const published = []
    const onpublished = (message) => {
      if (message.source === source) published.push(message.error)
    }
    subscribe('peer-wire-native:source:error', onpublished)
    t.teardown(() => unsubscribe('peer-wire-native:source:error', onpublished))
    const index = COUNT - 2
    t.true((await fetchPiece(wire, index)).equals(pieceOf(index)))
    await change(name, length)
    const failed = once(source, 'error')
    t.is((await t.throwsAsync(fetchPiece(wire, index))).code, 'ERR_PWP_PIECE_REJECTED')
    const [error] = await failed
    t.is(error.code, code)
    t.is(error.path, name)
    t.is(error.piece, index)
    t.deepEqual(published, [error])
    t.true(source.failures > 0)
    // The other files are served, and the changed one is not, whatever it has become.
    t.true((await fetchPiece(wire, 0)).equals(pieceOf(0)))
    t.is(source.has(COUNT - 1), code === 'ENOENT')
    t.is((await t.throwsAsync(fetchPiece(wire, COUNT - 1))).code, 'ERR_PWP_PIECE_REJECTED')

    // Once it is as it was, and said to be.
    await writeFile(name, CONTENT.subarray(-length))
    for (let at = Math.floor((LENGTH - length) / PIECE_LENGTH); at < COUNT; at++) source.add(at)
    t.true((await fetchPiece(wire, COUNT - 1)).equals(pieceOf(COUNT - 1)))
    t.true((await fetchPiece(wire, index)).equals(pieceOf(index)))
  })
}

test('a file that is too short, or none at all, is an error without a listener, too', async (t) => {
  const folder = await temporaryFolder(t)
  const name = path.join(folder, 'short')
  await writeFile(name, Buffer.alloc(100))
  const seen = []
  for (const [file, code] of [
    [name, 'ERR_PWP_FILE_SHORT'],
    [folder, 'ERR_PWP_FILE_TYPE'],
    [path.join(name, 'x'), 'ENOTDIR']
  ]) {
    const source = new pwp.PieceSource({ pieceLength: 1000, files: [{ path: file, length: 1000 }] })
    const quiet = new pwp.PieceSource({ pieceLength: 1000, files: [{ path: file, length: 1000 }] })
    source.on('error', (error) => seen.push([error.code, code]))
    for (const each of [source, quiet]) {
      const wire = fetcher(t, await serveSource(t, each))
      const error = await t.throwsAsync(wire.fetchPiece(0, { length: 1000 }))
      t.is(error.code, 'ERR_PWP_PIECE_REJECTED')
      t.true(each.failures > 0)
    }
    // Asked again and again, it says so once.
    const wire = fetcher(t, await serveSource(t, source))
    for (let n = 0; n < 5; n++) await t.throwsAsync(wire.fetchPiece(0, { length: 1000 }))
    t.true(source.failures >= 6)
  }
  t.is(seen.length, 3)
  for (const [found, code] of seen) t.is(found, code)
})

test('more files than may be open are served', async (t) => {
  const folder = await temporaryFolder(t)
  const files = Array.from({ length: 200 }, (_, at) => ({
    path: path.join(folder, `${at}`),
    length: 1000 + at
  }))
  const length = files.reduce((sum, file) => sum + file.length, 0)
  let at = 0
  for (const file of files) {
    await writeFile(file.path, CONTENT.subarray(at, at + file.length))
    at += file.length
  }
  const source = new pwp.PieceSource({ pieceLength: PIECE_LENGTH, length, files })
  const wire = fetcher(t, await serveSource(t, source))
  for (let index = 0; index < Math.ceil(length / PIECE_LENGTH); index++) {
    const wanted = CONTENT.subarray(
      index * PIECE_LENGTH,
      Math.min((index + 1) * PIECE_LENGTH, length)
    )
    t.true((await wire.fetchPiece(index, { length: wanted.length })).equals(wanted))
  }
  source.close()
})

test('bad options throw with their names', (t) => {
  const good = { pieceLength: 100, length: 1000 }
  const file = { path: 'a', length: 1000 }
  const bad = [
    [undefined, TypeError, /^options must be an object/],
    [{ ...good, pieceLength: '1' }, TypeError, /^options\.pieceLength/],
    [{ ...good, pieceLength: 0 }, RangeError, /^options\.pieceLength/],
    [{ pieceLength: 1, length: Number.MAX_SAFE_INTEGER }, RangeError, /^options\.pieceLength/],
    [{ pieceLength: 100 }, TypeError, /^options\.length/],
    [{ ...good, length: 0 }, RangeError, /^options\.length/],
    [{ ...good, pieces: 5 }, TypeError, /^options\.pieces must/],
    [{ ...good, pieces: [5] }, TypeError, /^options\.pieces\[0\] must/],
    [{ ...good, pieces: [Buffer.alloc(99)] }, RangeError, /^options\.pieces\[0\] must have 100/],
    [{ ...good, pieces: new Map([[10, Buffer.alloc(100)]]) }, RangeError, /^options\.pieces must/],
    [{ ...good, pieces: new Map([['a', Buffer.alloc(100)]]) }, TypeError, /^options\.pieces must/],
    [{ ...good, files: {} }, TypeError, /^options\.files must be an array/],
    [{ ...good, files: [] }, RangeError, /^options\.files/],
    [{ ...good, files: [5] }, TypeError, /^options\.files\[0\] must be an object/],
    [{ ...good, files: [{ ...file, path: 5 }] }, TypeError, /^options\.files\[0\]\.path/],
    [{ ...good, files: [{ ...file, path: 'a\0' }] }, TypeError, /^options\.files\[0\]\.path/],
    [{ ...good, files: [{ ...file, length: -1 }] }, RangeError, /^options\.files\[0\]\.length/],
    [{ ...good, files: [{ ...file, padding: 1 }] }, TypeError, /^options\.files\[0\]\.padding/],
    [{ ...good, files: [{ ...file, length: 999 }] }, RangeError, /^options\.length must be 999/],
    [{ ...good, files: [file], pieces: [] }, TypeError, /^options\.pieces must be the bits/],
    [{ ...good, files: [file], pieces: Buffer.alloc(3) }, RangeError, /^options\.pieces must/]
  ]
  for (const [options, type, message] of bad) {
    const error = t.throws(() => new pwp.PieceSource(options), { message })
    t.true(error instanceof type, `${error}`)
  }
  const source = new pwp.PieceSource(good)
  t.is(source.count, 10)
  t.throws(() => source.add(10, Buffer.alloc(100)), { instanceOf: RangeError, message: /^index/ })
  t.throws(() => source.add('0'), { instanceOf: TypeError, message: /^index/ })
  t.throws(() => source.add(0), { instanceOf: TypeError, message: /^bytes/ })
  t.throws(() => source.add(0, Buffer.alloc(99)), { instanceOf: RangeError, message: /^bytes/ })
  const ofFiles = new pwp.PieceSource({ ...good, files: [file] })
  t.throws(() => ofFiles.add(0, Buffer.alloc(100)), { instanceOf: TypeError, message: /^bytes/ })
  t.throws(() => pwp().serve(source), { code: 'ERR_PWP_NO_NATIVE' })
  source.close()
  ofFiles.close()
})
