// Fetches of metadata in two workers and the main thread at the same time; the workers end with one under way.
'use strict'

const { createHash, randomBytes } = require('node:crypto')
const { once } = require('node:events')
const { Worker, isMainThread } = require('node:worker_threads')
const pwp = require('../..')

const INFO = Buffer.concat([
  Buffer.from('d6:pieces1000000:'),
  randomBytes(1_000_000),
  Buffer.from('e')
])

function connect() {
  const infoHash = createHash('sha1').update(INFO).digest()
  const [one, other] = [pwp(), pwp()]
  one.serveMetadata(INFO)
  one.pipe(other).pipe(one)
  for (const wire of [one, other]) wire.handshake(infoHash, Buffer.alloc(20, 1))
  return other
}

async function main() {
  const inWorkers = isMainThread ? [inWorker(), inWorker()] : []
  const metadata = await connect().metadata()
  if (!metadata.equals(INFO)) throw new Error('metadata is wrong')
  const fetcher = new pwp.MetadataFetcher(Buffer.alloc(20))
  fetcher.add(pwp()).fetch()
  await Promise.all(inWorkers)
}

async function inWorker() {
  const [code] = await once(new Worker(__filename), 'exit')
  if (code !== 0) throw new Error(`a worker ended with ${code}`)
}

main()
