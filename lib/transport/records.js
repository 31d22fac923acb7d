// The records of the I/O thread, each given to the link or server that it is for.
//
// Each record has a turn of its own, as the chunks of sockets have: the promises that listeners of one have
// settled go on before the next.
//
// An addon has one queue of records in an environment, which several copies of this code may use: the first of
// them takes the records for all.
'use strict'

const { setImmediate } = require('node:timers')

const { native, record, FetchOutcome, RecordKind } = require('./native.js')
const { addon } = require('../native.js')
const { otherCopy } = require('../errors.js')
const { allocate } = require('../own-memory.js')
const { attempt, throwLater } = require('../session/attempt.js')

/** Where the addon keeps what its copies share. */
const SHARED = Symbol.for('peer-wire-native: records')

/** Of what is shared: raised whenever a copy of before could not use it. */
const VERSION = 3

/** What a record without words says. */
const NOTHING = []

/** Records of one wake-up, before timers and sockets of others have their turn. */
const MAX_RECORDS = 64

const links = new Map()
const servers = new Map()
/** The memory of slabs, by their numbers. */
const slabs = new Map()
/** Sources by their numbers, as long as somebody has them. */
const sources = new Map()

/** Links and servers that keep the process alive. */
let kept = 0
let isStarted = false
/** Whether a turn is coming. */
let isDraining = false
let turns = 0
/** Steps that wait for records, and for how many more. */
let waiting = []

function startRecords() {
  if (isStarted) return
  native.start(drain)
  isStarted = true
}

/** @param {1 | -1} change - of how many keep the process alive */
function keepAlive(change) {
  const before = kept
  kept += change
  if ((before === 0) !== (kept === 0)) native.keepAlive(kept > 0)
}

/** There are records. */
function drain() {
  if (isDraining) return
  isDraining = true
  turns = 0
  takeOne()
}

function takeOne() {
  if (waiting.length > 0) goOn()
  try {
    const kind = native.take()
    if (kind === RecordKind.None) {
      isDraining = false
      return
    }
    for (const step of waiting) step.left--
    handle(kind, record[0], record[1], record[2], record[3], record[4])
  } catch (error) {
    throwLater(error)
  }
  if (++turns < MAX_RECORDS) queueMicrotask(takeSoon)
  else setImmediate(takeMore)
}

function takeSoon() {
  process.nextTick(takeOne)
}

function takeMore() {
  turns = 0
  takeOne()
}

/**
 * Runs a step once all records that are there now have been handled. Timers of the event loop run before it
 * is woken for records: after it was busy, the answer that a timer misses may be there already.
 *
 * @param {() => void} run - at once, if there are none
 */
function catchUp(run) {
  const left = isStarted ? native.recordsLeft() : 0
  if (left === 0) return run()
  waiting.push({ left, run })
  drain()
}

function goOn() {
  const due = waiting.filter(({ left }) => left <= 0)
  waiting = waiting.filter(({ left }) => left > 0)
  for (const { run } of due) attempt(run)
}

function handle(kind, number, a, b, c, d) {
  switch (kind) {
    case RecordKind.Data:
      return links.get(number)?.onData(viewOf(a, b, c))
    case RecordKind.Drained:
      return links.get(number)?.onDrained()
    case RecordKind.Flushed:
      return links.get(number)?.onFlushed()
    case RecordKind.Progress:
      return links.get(number)?.onProgress(a, b)
    case RecordKind.Fetched:
      return fetched(number, a, b, c, d)
    case RecordKind.Violation:
      return links.get(number)?.onViolation(native.readText())
    case RecordKind.SourceFailed:
      return sources.get(number)?.deref()?._onFailed(a, b, native.readText())
    case RecordKind.SlabDone:
      slabs.delete(number)
      return
    case RecordKind.Ended:
      return links.get(number)?.onEnded(a === 1)
    case RecordKind.Closed:
      return links.get(number)?.onClosed(a)
    case RecordKind.Connected:
      return links.get(number)?.onConnected(native.readText())
    case RecordKind.DialFailed:
      return links.get(number)?.onDialFailed(a, native.readText())
    case RecordKind.Failed:
      return links.get(number)?.onFailed(native.readText())
    case RecordKind.Accepted:
      return accept(number, a, native.readText())
    case RecordKind.Listening:
      return servers.get(number)?._onListening(native.readText())
    case RecordKind.ListenFailed:
      return servers.get(number)?._onFailed(native.readText(), a === 1)
    case RecordKind.ListenerClosed:
      return servers.get(number)?._onClosed()
  }
}

/** The memory of a piece that nobody wants is dropped. */
function fetched(number, id, outcome, received, sent) {
  const ranges = outcome === FetchOutcome.Right ? NOTHING : native.readText()
  const link = links.get(number)
  if (link === undefined) native.copyFetched(number, id, Buffer.alloc(0))
  else link.onFetched(id, outcome, ranges, received, sent)
}

/** The server may have closed meanwhile. */
function accept(listener, socket, addresses) {
  const server = servers.get(listener)
  if (server === undefined) native.destroy(socket)
  else server._onAccepted(socket, addresses)
}

/** A view of the bytes of a slab. */
function viewOf(number, start, length) {
  let slab = slabs.get(number)
  if (slab === undefined) {
    // Not marked as untransferable: memory of others is so in Node, and Node 24 aborts at the end of an
    // environment when it cannot detach it.
    slab = native.takeSlab(number)
    slabs.set(number, slab)
  }
  if (slab !== null && slab.byteLength >= start + length) return Buffer.from(slab, start, length)
  // Electron allows no memory of others, and some runtimes let a user transfer it all the same.
  const copy = allocate(length)
  native.copySlab(number, start, copy)
  return copy
}

/** @returns {object} what all copies of this code use that have the same addon */
function share() {
  const own = { version: VERSION, catchUp, keepAlive, links, servers, sources, startRecords }
  const shared = (addon[SHARED] ??= own)
  if (shared.version === VERSION) return shared
  throw otherCopy()
}

module.exports = share()
