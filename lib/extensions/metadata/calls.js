// `wire.metadata()` and `wire.serveMetadata()`.
'use strict'

const { byteLength, checkRange, toBytes } = require('../../arguments.js')
const { addon } = require('../../native.js')
const { reasonOf } = require('../../session/signals.js')
const { channelOf, serve, servingMetadata } = require('./ut-metadata.js')
const { NAME } = require('./channel.js')
const { inUse } = require('./errors.js')
const { Fetch } = require('./fetch.js')
const { LIMITS, infoHashOf, toFetchSettings } = require('./options.js')

/** Fetches by session and size limit, as calls at the same time share one. */
const running = new WeakMap()

/**
 * @param {import('../../session/session.js').Session} session
 * @param {unknown} options
 * @returns {Promise<Buffer>}
 */
function fetchMetadata(session, options) {
  const settings = toFetchSettings(options)
  if (settings.signal?.aborted) return Promise.reject(reasonOf(settings.signal))
  const fetches = running.get(session) ?? new Map()
  running.set(session, fetches)
  let fetch = fetches.get(settings.maxSize)
  if (fetch === undefined) {
    fetch = makeFetch(session, settings, () => fetches.delete(settings.maxSize))
    fetches.set(settings.maxSize, fetch)
  }
  return fetch.fetch(settings)
}

/** `end` is called once nobody waits any more. */
function makeFetch(session, { maxSize }, end) {
  const toHashes = () => {
    const infoHash = infoHashOf(session)
    return infoHash === null ? null : [infoHash]
  }
  const stop = (error) => {
    end()
    fetch.fail(error)
  }
  const fetch = new Fetch(
    toHashes,
    { ...LIMITS, maxSize, resume: null },
    {
      onDrop: (_, error) => stop(error),
      onIdle: () => stop(null),
      onDone: end
    }
  )
  fetch.add(session)
  return fetch
}

/**
 * @param {import('../../session/session.js').Session} session
 * @param {unknown} info
 */
function serveMetadata(session, info) {
  const bytes = toBytes('info', info)
  checkRange('info.length', byteLength(bytes), 1, 0x7fffffff)
  const infoHash = infoHashOf(session)
  if (infoHash !== null && !addon.metadataMatches(bytes, [infoHash]))
    throw new RangeError('info does not have the info hash of the wire')
  const { wire } = session
  if (!(NAME in wire)) {
    wire.use(servingMetadata(bytes))
    return
  }
  const extension = wire[NAME]
  if (channelOf(extension) === undefined) throw inUse()
  serve(extension, bytes)
  // Peers may be told at any time.
  if (session.extensions.isSent && !session.isClosed) session.extensions.sendHandshake(null)
}

module.exports = { fetchMetadata, serveMetadata }
