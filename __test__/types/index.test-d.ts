// The types of the public API, as a user of the package meets them.
import { EventEmitter, on, once } from 'node:events'
import { Duplex } from 'node:stream'
import { expectAssignable, expectError, expectType } from 'tsd'
import pwp from '../..'
import { ProtocolError, Wire } from '../..'

const infoHash = Buffer.alloc(20)
const peerId = '-XX0000-000000000000'

// Construction
const wire = pwp()
expectType<pwp.Instance>(wire)
expectType<pwp.Instance>(new pwp({ speed: 10, maxMessageLength: 0, pieces: 7 }))
expectType<pwp.Instance>(Wire())
expectAssignable<Duplex>(wire)
expectType<pwp.Instance>(pwp({ policy: 'strict', copyBlocks: true, transcript: 9 }))
expectType<pwp.Instance>(pwp({ handshakeTimeout: 1, inactivityTimeout: 1 }))
expectType<pwp.Instance>(pwp({ rejectTimeout: 0, notPeerId: peerId, infoHashes: infoHash }))
for (const infoHashes of ['00'.repeat(20), [infoHash, '00'.repeat(20)], new Set(['00'])]) {
  expectType<pwp.Instance>(pwp({ infoHashes }))
}
expectType<pwp.Instance>(pwp({ infoHashes: (hash) => hash.equals(infoHash) }))
expectError(pwp({ infoHashes: 7 }))
expectError(pwp({ infoHashes: new Set([infoHash]) }))
expectError(pwp({ infoHashes: async () => true }))
expectError(pwp({ notPeerId: [infoHash] }))
expectError(pwp({ rejectTimeout: '1' }))
expectError(pwp({ maxPeerRequests: 'many' }))
expectError(pwp({ policy: 'loose' }))
expectType<pwp.Instance>(pwp({ extensions: true }))
expectError(pwp({ extensions: 1 }))

class Peer extends pwp {
  isSeeder = false
}
expectType<boolean>(new Peer().isSeeder)
expectType<boolean>(new Peer().amChoking)

// Extensions of the package
const donthave = wire.use(pwp.extensions.ltDonthave())
expectType<pwp.Donthave>(donthave)
expectType<void>(donthave.donthave(7))
expectType<boolean>(donthave.isReady)
expectType<number>(donthave.ignored)
donthave.on('donthave', (piece) => expectType<number>(piece))
expectError(donthave.on('donthave', (piece: string) => piece))
expectError(donthave.donthave('7'))

// Requests with options, and awaited ones
const { signal } = new AbortController()
expectType<void>(
  wire.request(0, 0, 1, { signal, timeout: 5 }, (error, block) => {
    expectType<Error | null>(error)
    expectType<Buffer>(block)
  })
)
expectType<void>(wire.request(0, 0, 1, { timeout: undefined }))
expectType<void>(wire.request(0, 0, 1, null, () => {}))
expectType<Promise<Buffer>>(wire.requestBlock(0, 0, 1))
expectType<Promise<Buffer>>(wire.requestBlock(0, 0, 1, { signal: AbortSignal.timeout(5) }))
expectType<Promise<Buffer>>(wire.requestBlock(0, 0, 1, null))
expectError(wire.request(0, 0, 1, { timeout: '5' }))
expectError(wire.request(0, 0, 1, { signal: new AbortController() }))
expectError(wire.requestBlock(0, 0, 1, () => {}))
expectError(wire.requestBlock(0, 0, 1, { limit: 5 }))
expectType<Promise<Buffer>>(wire.requestBlock(0, 0, 1, { into: new Uint8Array(1) }))
expectError(wire.requestBlock(0, 0, 1, { into: new ArrayBuffer(1) }))
expectAssignable<pwp.RequestErrorCode>('ERR_PWP_REQUEST_TIMEOUT')

expectType<Promise<Buffer>>(wire.fetchPiece(0, { length: 5, hash: '00', endOnChoke: true }))
expectType<Promise<Buffer>>(wire.fetchPiece(0, { length: 5, hash: new Uint8Array(32), signal }))
wire.fetchPiece(0, { length: 5 }).catch(({ partial: resume }: pwp.FetchPieceError) => {
  expectType<pwp.PartialPiece>(resume)
  return pwp.fetchPiece(new Set([wire]), 0, {
    length: 5,
    resume,
    onDrop: (dropped, { code }) => {
      expectType<Wire>(dropped)
      expectType<pwp.FetchPieceErrorCode>(code)
    }
  })
})
expectError(wire.fetchPiece(0))
expectError(wire.fetchPiece(0, {}))
expectError(pwp.fetchPiece([wire], 0, { length: 5, endOnChoke: true }))
expectAssignable<AggregateError>({} as pwp.NoWireLeftError)
const group = new pwp.RateGroup({ download: 5 })
expectType<number>(group.upload)
expectType<void>(group.setLimits({ upload: 0 }))
expectType<void>(wire.setRateLimits({ download: 1 }))
expectType<void>(wire.setRateGroup(group))
expectType<void>(wire.setRateGroup(null))
expectError(wire.setRateGroup({}))

// Node's once() and on() do not know the events of an emitter: their arguments take these types.
async function awaited() {
  const handshake = await once(wire, 'handshake', { signal })
  const [hash, id] = handshake as pwp.Events['handshake']
  expectType<Buffer>(hash)
  expectType<Buffer>(id)
  for await (const [piece] of on(wire, 'have', { signal }) as AsyncIterable<pwp.Events['have']>) {
    expectType<number>(piece)
  }
}
expectType<Promise<void>>(awaited())

// Properties
expectType<boolean>(wire.amChoking)
expectType<boolean>(wire.amInterested)
expectType<boolean>(wire.peerChoking)
expectType<boolean>(wire.peerInterested)
expectType<boolean[]>(wire.peerPieces)
expectType<Partial<pwp.Extensions>>(wire.peerExtensions)
expectType<boolean | undefined>(wire.peerExtensions.fast)
expectType<boolean | undefined>(wire.peerExtensions.v2)
expectType<Buffer | null>(wire.peerReserved)
expectType<boolean>(wire.hasFast)
expectType<number[]>(wire.allowedFastSet)
expectType<number[]>(wire.peerAllowedFastSet)
expectType<string | null>(wire.peerAddress)
expectType<number>(wire.uploaded)
expectType<number>(wire.downloaded)
expectType<number>(wire.uploadSpeed())
expectType<number>(wire.downloadSpeed())
expectType<pwp.Request[]>(wire.requests)
expectType<pwp.Request[]>(wire.peerRequests)
expectType<Error | null>(wire.error)
expectType<number>(wire.bufferedAmount)
wire.peerAddress = '127.0.0.1:6881'

// Diagnostics
expectType<pwp.Stats>(wire.stats())
expectType<number>(wire.stats().received.messages.have)
expectType<number>(wire.stats().sent.messages.allowedFast)
expectType<number | undefined>(wire.stats().requestLatency?.average)
const violation = new ProtocolError('ERR_PWP_HANDSHAKE', 'text', { length: 1, limit: 2 })
expectType<number | undefined>(violation.limit)
expectType<pwp.Frame[] | undefined>(violation.transcript)

// Extensions
class Pex extends EventEmitter {
  peers = 0
  constructor(readonly owner: Wire) {
    super()
  }
  get name() {
    return 'ut_pex'
  }
  onHandshake(hash: string, id: string, extensions: Partial<pwp.Extensions>) {
    expectType<boolean | undefined>(extensions.dht)
    return hash + id
  }
  onExtendedHandshake(handshake: pwp.ExtendedHandshake) {
    expectType<number>(handshake.m.ut_pex)
  }
  onMessage(message: Buffer) {
    this.peers += message.length
  }
}
class NoName {
  onMessage() {}
}
class WrongMessage {
  declare readonly name: string
  onMessage(message: number) {
    return message
  }
}
class WrongConstructor {
  declare readonly name: string
  constructor(readonly count: number) {}
}
class NameOnly {
  declare readonly name: string
}
const pex = wire.use(Pex)
expectType<Pex>(pex)
expectType<number>(pex.peers)
expectType<Pex>(new Peer().use(Pex))
expectType<NameOnly>(wire.use(NameOnly))
expectError(wire.use(NoName))
expectError(wire.use(WrongMessage))
expectError(wire.use(WrongConstructor))
expectError(wire.use(pex))
expectError(wire.use('ut_pex'))

expectType<{ [key: string]: any } | null>(wire.extendedHandshake)
wire.extendedHandshake = { v: 'mine 1.0', metadata_size: 5 }
expectType<{ readonly [id: number]: string } | null>(wire.extendedMapping)
expectType<{ readonly [name: string]: number } | null>(wire.peerExtendedMapping)
expectType<pwp.ExtendedHandshake | null>(wire.peerExtendedHandshake)
expectType<string | undefined>(wire.peerExtendedHandshake?.v)
expectType<number | undefined>(wire.peerExtendedHandshake?.reqq)
expectType<boolean | undefined>(wire.peerExtendedHandshake?.upload_only)
expectType<unknown>(wire.peerExtendedHandshake?.own)
expectError((wire.extendedMapping = {}))

const Chat = pwp.makeExtension('x_chat', {
  encode: (text: string) => Buffer.from(text),
  decode: (bytes) => bytes.toString()
})
const chat = wire.use(Chat)
expectType<pwp.MessageExtension<string>>(chat)
expectType<boolean>(chat.isReady)
expectType<void>(chat.send('hello'))
expectError(chat.send(1))
chat.on('ready', () => {})
chat.once('message', (text) => expectType<string>(text))
chat.on('malformed', (bytes, error) => {
  expectType<Buffer>(bytes)
  expectType<Error>(error)
})
chat.on('own event', (anything) => expectType<any>(anything))
expectError(chat.on('message', (text: number) => text))
const counts = wire.use(pwp.makeExtension<{ count: number }>('x_counts'))
counts.on('message', ({ count }) => expectType<number>(count))
expectError(counts.send({ count: 'many' }))
wire.use(pwp.makeExtension('x_any')).send([1, { a: 'b' }])
expectError(pwp.makeExtension(1))
expectError(pwp.makeExtension('x', { encode: (text: string) => text }))
class Loud extends Chat {
  shout(text: string) {
    this.send(text.toUpperCase())
  }
}
expectType<void>(wire.use(Loud).shout('hi'))
expectType<number[]>(pwp.allowedFastSet('127.0.0.1', infoHash, 100))
expectType<number[]>(pwp.allowedFastSet('127.0.0.1', '00'.repeat(20), 100, 7))
expectError(pwp.allowedFastSet('127.0.0.1', infoHash))

// Methods
expectType<void>(wire.handshake(infoHash, peerId, { dht: true }))
expectType<void>(wire.handshake('00'.repeat(20), new Uint8Array(20)))
expectType<void>(wire.handshake(infoHash, peerId, { fast: true, v2: true, extended: false }))
expectType<void>(wire.handshake(infoHash, peerId, { v2: infoHash }))
expectType<void>(wire.handshake(infoHash, peerId, { v2: 'ab'.repeat(32) }))
expectError(wire.handshake(infoHash, peerId, { v2: 1 }))
expectType<void>(wire.handshake(infoHash, peerId, { reserved: new Uint8Array(8), fast: undefined }))
expectType<void>(wire.handshake(infoHash, peerId, wire.peerExtensions))
expectError(wire.handshake(infoHash, peerId, { fast: 1 }))
expectError(wire.handshake(infoHash, peerId, { reserved: [0, 0, 0, 0, 0, 0, 0, 4] }))
expectAssignable<pwp.CallErrorCode>('ERR_PWP_HANDSHAKE_SENT')
expectError(wire.handshake(infoHash))
expectError(wire.handshake(1, peerId))
expectType<void>(wire.choke())
expectType<void>(wire.unchoke())
expectType<void>(wire.interested())
expectType<void>(wire.uninterested())
expectType<void>(wire.have(1))
expectError(wire.have('1'))
expectType<void>(wire.bitfield(new Uint8Array(1)))
expectType<void>(wire.bitfield({ buffer: Buffer.alloc(1) }))
expectError(wire.bitfield([1]))
expectType<void>(wire.request(0, 0, 16384))
wire.request(0, 0, 16384, (error, block) => {
  expectType<Error | null>(error)
  expectType<Buffer>(block)
})
expectError(wire.request(0, 0))
expectType<void>(wire.cancel(0, 0, 16384))
expectType<void>(wire.piece(0, 0, Buffer.alloc(1)))
expectError(wire.piece(0, 0, 'block'))
expectType<void>(wire.haveAll())
expectType<void>(wire.haveNone())
expectType<void>(wire.suggest(1))
expectType<void>(wire.allowedFast(1))
expectType<void>(wire.reject(0, 0, 16384))
expectType<void>(wire.setPieces(7))
expectError(wire.haveAll(7))
expectError(wire.suggest('1'))
expectError(wire.reject(0, 0))
expectError(wire.setPieces())
expectType<void>(wire.port(6881))
expectType<void>(wire.extended(0, { m: { ut_metadata: 1 } }))
expectType<void>(wire.extended(1, Buffer.alloc(1)))
expectType<void>(wire.extended(1, 2n ** 64n))
expectError(wire.extended(1, true))
expectError(wire.extended(1, undefined))
expectType<void>(wire.extended('ut_metadata', Buffer.alloc(1)))
expectType<void>(wire.setKeepAlive(true))
expectType<void>(wire.setTimeout(5000, () => {}))
expectType<pwp.Instance>(wire.destroy())
expectType<pwp.Instance>(wire.destroy(new Error('enough')))

// Events
wire.on('handshake', (hash, id, extensions) => {
  expectType<Buffer>(hash)
  expectType<Buffer>(id)
  expectType<pwp.Extensions>(extensions)
})
wire.on('info-hash', (hash) => expectType<Buffer>(hash))
for (const event of ['have-all', 'have-none'] as const) wire.on(event, () => {})
for (const event of ['suggest', 'allowed-fast'] as const) {
  wire.on(event, (piece) => expectType<number>(piece))
}
wire.on('reject', (...request) => expectType<[number, number, number]>(request))
wire.on('have', (piece) => expectType<number>(piece))
wire.on('bitfield', (bits) => expectType<Buffer>(bits))
wire.on('request', (piece, offset, length, respond) => {
  expectType<[number, number, number]>([piece, offset, length])
  expectType<pwp.Respond>(respond)
  respond(null, new Uint8Array(length))
  respond(new Error('no such piece'))
})
wire.once('piece', (_piece, _offset, block) => expectType<Buffer>(block))
wire.on('cancel', (...request) => expectType<[number, number, number]>(request))
wire.on('port', (port) => expectType<number>(port))
wire.on('extended', (id, message) => {
  expectType<number>(id)
  expectType<Buffer>(message)
})
wire.on('extended-handshake', (handshake) => {
  expectType<pwp.ExtendedHandshake>(handshake)
})
wire.on('unknownmessage', (message) => expectType<Buffer>(message))
wire.on('upload', (bytes) => expectType<number>(bytes))
wire.on('download', (bytes) => expectType<number>(bytes))
for (const event of ['choke', 'unchoke', 'interested', 'uninterested', 'timeout'] as const) {
  wire.on(event, () => {})
}
wire.off('keep-alive', () => {})
wire.on('close', () => {})
wire.on('own event', (anything) => expectType<any>(anything))
expectError(wire.on('have', (piece: string) => piece))
wire.on('error', (error) => {
  if (error instanceof ProtocolError) expectType<pwp.ErrorCode>(error.code)
})
expectAssignable<AsyncIterator<any>>(wire[Symbol.asyncIterator]())
expectError(wire.emit('port', '6881'))

expectType<Promise<Buffer>>(wire.metadata())
wire.metadata({ signal: AbortSignal.timeout(5), timeout: 1_000, maxSize: 5 })
expectError(wire.metadata({ signal: 5 }))
expectError(wire.metadata({ timeout: '5' }))
expectType<void>(wire.serveMetadata(new Uint8Array(5)))
expectError(wire.serveMetadata('de'))
const utMetadata = wire.use(pwp.extensions.utMetadata(Buffer.alloc(5)))
expectType<pwp.MetadataExtension>(utMetadata)
expectType<Uint8Array | undefined>(utMetadata.metadata)
expectType<Promise<boolean>>(utMetadata.setMetadata(Buffer.alloc(5)))
expectType<number>(utMetadata.stats().waiting)
utMetadata.on('metadata', (torrent) => expectType<Buffer>(torrent))
utMetadata.on('warning', (error) => expectType<Error>(error))
const fetcher = new pwp.MetadataFetcher(['0'.repeat(40), Buffer.alloc(32)], { maxSize: 5 })
expectType<pwp.MetadataFetcher>(fetcher.add(wire).remove(wire))
expectType<Promise<Buffer>>(fetcher.fetch({ signal: AbortSignal.timeout(5) }))
expectType<pwp.MetadataState | null>(fetcher.state())
expectType<pwp.MetadataFetcher>(
  new pwp.MetadataFetcher(Buffer.alloc(20), { resume: fetcher.state() })
)
fetcher.on('drop', (dropped, error) => {
  expectType<pwp.Instance>(dropped)
  expectType<pwp.ErrorCode>(error.code)
})
expectType<void>(fetcher.destroy())
expectError(new pwp.MetadataFetcher())
expectError(fetcher.add(fetcher))
expectError(fetcher.fetch({ maxSize: '5' }))

const wanted = { root: infoHash, baseLayer: 1, index: 0, length: 2, proofLayers: 1 }
expectType<boolean>(wire.isV2)
expectType<Promise<Buffer>>(wire.requestHashes(wanted))
expectType<Promise<Buffer>>(
  wire.requestHashes({ ...wanted, parent: infoHash }, { signal, timeout: 5 })
)
expectError(wire.requestHashes({ root: infoHash }))
expectError(wire.requestHashes(wanted, { timeout: '5' }))
wire.on('hash-request', (request, respond) => {
  expectType<Buffer>(request.root)
  expectType<number>(request.proofLayers)
  respond(null, new pwp.HashTree(infoHash, { baseLayer: 1 }).hashesFor(request))
  respond(new Error('no'))
})
wire.on('hashes', (request, hashes, isVerified) => {
  expectType<number>(request.baseLayer)
  expectType<Buffer>(hashes)
  expectType<boolean>(isVerified)
})
wire.on('hash-reject', (request) => expectType<number>(request.index))
expectType<Buffer>(new pwp.HashTree(infoHash).root)
expectType<Buffer>(pwp.allocate(16384))
expectError(pwp.allocate('1'))
expectType<Buffer>(pwp.pieceRoot(infoHash, { pieceLength: 16384 }))
expectError(pwp.pieceRoot('piece'))

// Native sockets
expectType<'native' | 'stream'>(wire.transport)
expectType<boolean>(wire.connecting)
expectType<string | undefined>(wire.remoteAddress)
expectType<number | undefined>(wire.localPort)
expectType<Promise<void>>(wire.flushed())
expectType<pwp.Instance>(wire.unref().ref())
wire.on('connect', () => {})
expectType<pwp.Instance>(pwp.connect({ port: 1, host: 'peer', pieces: 9, family: 6, signal }))
expectType<pwp.Instance>(pwp.connect({ port: '1', encryption: { role: 'initiator', infoHash } }))
expectType<Promise<pwp.Instance>>(pwp.promises.connect({ port: 1, connectTimeout: 5 }))
expectType<pwp.Instance>(pwp.attach(new Duplex(), { pieces: 9 }))
expectError(pwp.connect({ host: 'peer' }))
expectError(pwp.connect({ port: 1, family: 5 }))
expectError(pwp.attach('socket'))
const server = pwp.createServer(
  { infoHashes: infoHash, encryption: { mode: 'require' } },
  (one, hash) => {
    expectType<pwp.Instance>(one)
    expectType<Buffer | null>(hash)
  }
)
expectType<pwp.Server>(server.listen(0, '::', 5, () => {}).unref())
expectType<pwp.Server>(pwp.createServer((one) => one.destroy()).listen({ port: 0, signal }))
expectType<Promise<pwp.Server>>(
  pwp.promises.listen({ port: 0, filter: (address, port) => port > 1, backlog: 5 })
)
expectType<{ address: string; family: 'IPv4' | 'IPv6'; port: number } | null>(server.address())
server.on('refuse', (error, { remoteAddress, remotePort }) => {
  expectType<Error | null>(error)
  expectType<string>(remoteAddress)
  expectType<number>(remotePort)
})
server.once('drop', (place) => expectType<pwp.Place>(place))
server.maxConnections = 5
expectType<number>(server.connections)
const source = new pwp.PieceSource({
  pieceLength: 16384,
  files: [
    { path: 'a', length: 5 },
    { padding: true, length: 3 }
  ]
})
expectType<pwp.PieceSource>(source.add(1).add(2, Buffer.alloc(5)))
expectType<boolean>(source.remove(1))
expectType<number>(source.failures)
source.on('error', (error) => {
  expectType<string>(error.path)
  expectType<number>(error.piece)
})
wire.serve(source)
wire.serve({ pieceLength: 5, length: 9, pieces: [Buffer.alloc(5), null] })
wire.serve(null)
expectError(wire.serve())
expectError(new pwp.PieceSource({ pieceLength: 5 }))
expectError(new pwp.PieceSource({ pieceLength: 5, files: [{ length: 5 }] }))
expectError(pwp.createServer({ filter: 'none' }))
expectError(pwp.createServer({ handshakePolicy: {} }))
