// Uses every method, option, event and property of the types, in a transfer over TCP.
// Compiled and run both as CommonJS and as an ES module.
import assert from 'node:assert'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import pwp, { ProtocolError, Wire } from 'peer-wire-protocol'
import BittorrentWire, { Wire as SameWire } from 'peer-wire-protocol/bittorrent-protocol'

type Own = Exclude<keyof Wire, keyof Duplex>
type Listeners = { [E in keyof pwp.Events]: (...args: pwp.Events[E]) => void }

const INFO_HASH = Buffer.alloc(20, 1)
const LENGTH = 16 * 1024
const data = randomBytes(LENGTH * 3)

const options: Required<pwp.Options> = {
  speed: 2,
  maxMessageLength: 64 * 1024,
  maxRequestLength: LENGTH,
  maxPeerRequests: 100,
  pieces: 3,
  uploadBacklog: 1024 * 1024,
  policy: 'strict',
  handshakeTimeout: 60_000,
  inactivityTimeout: 60_000,
  extensions: true,
  rejectTimeout: 60_000,
  infoHashes: [INFO_HASH, new Uint8Array(20), '02'.repeat(20)],
  notPeerId: '-XX0001-000000000000',
  copyBlocks: true,
  encryption: { role: 'responder', mode: 'off' },
  transcript: 100
}

/** The other forms of an option. */
const served: pwp.Options['infoHashes'][] = [
  INFO_HASH,
  '01'.repeat(20),
  new Set(['01'.repeat(20)]),
  (infoHash) => infoHash.equals(INFO_HASH)
]

// A member or event in the types that is missing from these tables is a compile error.

/** With the fast extension only. */
function throwsWithout(wire: Wire, call: () => void): void {
  if (wire.hasFast) call()
  else assert.throws(call, { code: 'ERR_PWP_NO_FAST' satisfies pwp.CallErrorCode })
}

const uses: { [K in Own]: (wire: Wire) => unknown } = {
  allowedFast: (wire) => throwsWithout(wire, () => wire.allowedFast(1)),
  allowedFastSet: (wire): number[] => wire.allowedFastSet,
  amChoking: (wire): boolean => wire.amChoking,
  amInterested: (wire): boolean => wire.amInterested,
  bufferedAmount: (wire) => wire.bufferedAmount,
  bitfield(wire) {
    wire.bitfield(Buffer.of(0xe0))
    wire.bitfield(Uint8Array.of(0xe0))
    wire.bitfield({ buffer: Uint8Array.of(0xe0) })
  },
  cancel: (wire) => wire.cancel(0, 0, LENGTH),
  choke: (wire) => wire.choke(),
  connecting: (wire): boolean => wire.connecting,
  downloadSpeed: (wire): number => wire.downloadSpeed(),
  downloaded: (wire): number => wire.downloaded,
  encryption: (wire): string | undefined => wire.encryption?.method,
  error: (wire): Error | null => wire.error,
  extended(wire) {
    wire.extended(0, { m: { ut_pex: 1 } })
    wire.extended(1, Buffer.of(1))
    wire.extended(1, 'text')
    wire.extended(1, 7)
  },
  extendedHandshake: (wire): unknown => wire.extendedHandshake?.v,
  extendedMapping: (wire): string | undefined => wire.extendedMapping?.[1],
  flushed: (wire): Promise<void> => wire.flushed().catch(() => {}),
  async fetchPiece(wire) {
    const fetch = { length: LENGTH, hash: 'ab'.repeat(20), timeout: 5000, blockLength: 1024 }
    const all = { ...fetch, pieceLength: LENGTH, signal: AbortSignal.timeout(5000) }
    const into: Buffer = pwp.allocate(LENGTH)
    const failed: pwp.FetchPieceError = await wire
      .fetchPiece(0, { ...all, into, endOnChoke: true })
      .then(
        () => assert.fail(),
        (error) => error
      )
    assert(failed.code satisfies pwp.FetchPieceErrorCode)
    const onDrop = (dropped: Wire, { code }: pwp.FetchPieceError) =>
      assert(dropped === wire && code)
    const left: pwp.NoWireLeftError = await pwp
      .fetchPiece([wire], 0, { ...all, resume: failed.partial, onDrop })
      .then(
        () => assert.fail(),
        (error) => error
      )
    assert(left.errors.every(({ wires, partial }) => wires?.length === 1 && partial.index === 0))
  },
  handshake(wire) {
    wire.handshake(INFO_HASH, Buffer.alloc(20, 2))
    const fields = { dht: true, extended: true, fast: true, v2: false, reserved: Buffer.alloc(8) }
    const again = () => wire.handshake('01'.repeat(20), '-XX0001-123456789012', fields)
    assert.throws(again, { code: 'ERR_PWP_HANDSHAKE_SENT' satisfies pwp.CallErrorCode })
  },
  hasFast: (wire): boolean => wire.hasFast,
  have: (wire) => wire.have(2),
  haveAll: (wire) => throwsWithout(wire, () => wire.haveAll()),
  haveNone: (wire) => throwsWithout(wire, () => wire.haveNone()),
  interested: (wire) => wire.interested(),
  isV2: (wire): boolean => wire.isV2,
  localAddress: (wire): string | undefined => wire.localAddress,
  localFamily: (wire): string | undefined => wire.localFamily,
  localPort: (wire): number | undefined => wire.localPort,
  async metadata(wire) {
    const signal = AbortSignal.timeout(60_000)
    const fetched = wire.metadata({ signal, timeout: 60_000, maxSize: 1024 })
    await assert.rejects(fetched, pwp.ProtocolError)
  },
  peerAddress(wire) {
    wire.peerAddress = '127.0.0.1:6881'
    return wire.peerAddress
  },
  peerAllowedFastSet: (wire): number[] => wire.peerAllowedFastSet,
  peerChoking: (wire): boolean => wire.peerChoking,
  peerExtendedHandshake: (wire): string | undefined => wire.peerExtendedHandshake?.v,
  peerExtendedMapping: (wire): number | undefined => wire.peerExtendedMapping?.ut_pex,
  peerExtensions: (wire): boolean | undefined => wire.peerExtensions.dht,
  peerInterested: (wire): boolean => wire.peerInterested,
  peerPieces: (wire): boolean | undefined => wire.peerPieces[0],
  peerRequests: (wire): number[] => wire.peerRequests.map(({ length }) => length),
  peerReserved: (wire): number | undefined => wire.peerReserved?.length,
  piece: (wire) => wire.piece(0, 0, Buffer.of(1)),
  port: (wire) => wire.port(6881),
  ref: (wire): Wire => wire.ref(),
  remoteAddress: (wire): string | undefined => wire.remoteAddress,
  remoteFamily: (wire): string | undefined => wire.remoteFamily,
  remotePort: (wire): number | undefined => wire.remotePort,
  reject: (wire) => throwsWithout(wire, () => wire.reject(0, 0, LENGTH)),
  request(wire) {
    wire.use(Wire.extensions.ltDonthave()).on('donthave', (piece) => piece.toFixed())
    wire.request(0, 0, LENGTH)
    wire.request(0, 0, LENGTH, { timeout: 5000 }, (error) => error?.message)
    wire.request(0, 0, LENGTH, (error, block) => error?.message ?? block.length)
  },
  async requestBlock(wire) {
    const { length }: Buffer = await wire
      .requestBlock(0, 0, LENGTH, { signal: AbortSignal.timeout(5000), timeout: 5000 })
      .catch(() => Buffer.alloc(0))
    return length
  },
  async requestHashes(wire) {
    const request = { root: Buffer.alloc(32), baseLayer: 0, index: 0, length: 2, proofLayers: 0 }
    const hashes = wire.requestHashes(request, { timeout: 5000 })
    await assert.rejects(hashes, { code: 'ERR_PWP_NO_V2' })
    const tree = new pwp.HashTree(Buffer.alloc(64))
    assert(tree.hashesFor({ ...request, root: tree.root })?.length === 64)
    assert(pwp.pieceRoot(data.subarray(0, LENGTH)).length === 32)
  },
  requests: (wire): number[] => wire.requests.map(({ piece, offset }) => piece + offset),
  serveMetadata(wire) {
    const wrong = () => wire.serveMetadata(Buffer.from('de'))
    assert.throws(wrong, RangeError)
  },
  setKeepAlive(wire) {
    wire.setKeepAlive()
    wire.setKeepAlive(false)
  },
  setPieces: (wire) => wire.setPieces(3),
  stats: (wire): number => wire.stats().received.messages.have,
  setRateGroup(wire) {
    const group = new pwp.RateGroup({ download: 1024 })
    group.setLimits({ upload: group.download })
    const join = () => wire.setRateGroup(group)
    assert.throws(join, { code: 'ERR_PWP_NO_NATIVE' satisfies pwp.CallErrorCode })
  },
  setRateLimits(wire) {
    const limit = () => wire.setRateLimits({ download: 1024, upload: 0 })
    assert.throws(limit, { code: 'ERR_PWP_NO_NATIVE' satisfies pwp.CallErrorCode })
  },
  serve(wire) {
    assert.throws(() => wire.serve(null), { code: 'ERR_PWP_NO_NATIVE' })
  },
  setTimeout(wire) {
    wire.setTimeout(1000, () => {})
    wire.setTimeout(0)
  },
  suggest: (wire) => throwsWithout(wire, () => wire.suggest(1)),
  transport: (wire) => wire.transport === 'stream',
  unchoke: (wire) => wire.unchoke(),
  uninterested: (wire) => wire.uninterested(),
  unref: (wire): Wire => wire.unref(),
  uploadSpeed: (wire): number => wire.uploadSpeed(),
  uploaded: (wire): number => wire.uploaded,
  use(wire) {
    const extension = wire.use(pwp.makeExtension<string>('x_chat'))
    extension.on('message', (text) => text.length)
    assert(!extension.isReady)
    assert(pwp.allowedFastSet('127.0.0.1', INFO_HASH, 3).length === 3)
    const pex = wire.use(pwp.extensions.utPex({ destroyOnFlood: true }))
    pex.on('peer', (address, flags, bits) => flags.isSender && address.length > bits)
    assert(pex.addPeer({ address: '10.0.0.1', port: 6881 }, { isSender: true }))
    const uploadOnly = wire.use(pwp.extensions.uploadOnly())
    uploadOnly.set(true)
    assert(uploadOnly.peerIsUploadOnly === null)
    const UtHolepunch = pwp.extensions.utHolepunch()
    const holepunch = wire.use(UtHolepunch)
    holepunch.on('rendezvous', (address) => holepunch.fail(address, UtHolepunch.codes.noSelf))
    assert(!holepunch.isReady)
  }
}

const listeners: Listeners = {
  'allowed-fast': (piece) => piece.toFixed(),
  bitfield: (bitfield) => bitfield.readUInt8(0),
  cancel: (piece, offset, length) => piece + offset + length,
  choke() {},
  close() {},
  connect() {},
  data(chunk) {
    assert(Buffer.isBuffer(chunk))
  },
  download: (bytes) => bytes.toFixed(),
  drain() {},
  end() {},
  error(error) {
    if (error instanceof ProtocolError) error.code satisfies pwp.ErrorCode
  },
  extended: (id, message) => message.readUInt8(id),
  encryption: ({ method, infoHash }) => infoHash?.readUInt8(0) ?? method.length,
  'extended-handshake': (handshake) => handshake.m.ut_pex,
  finish() {},
  handshake(infoHash, peerId, extensions) {
    const flags: boolean[] = [extensions.dht, extensions.extended]
    const asked: (boolean | undefined)[] = [extensions.fast, extensions.v2]
    assert(!infoHash.equals(peerId) && flags.length === asked.length)
  },
  'hash-reject': ({ root, length }) => root.length + length,
  'hash-request': (request, respond) => respond(null, request.root),
  hashes: (request, hashes, isVerified) => isVerified && hashes.length > request.index,
  have: (piece) => piece.toFixed(),
  'have-all'() {},
  'have-none'() {},
  'info-hash': (infoHash) => infoHash.readUInt8(0),
  interested() {},
  'keep-alive'() {},
  pause() {},
  piece: (piece, offset, block) => block.length + piece + offset,
  pipe: (source) => source.isPaused(),
  port: (port) => port.toFixed(),
  readable() {},
  reject: (piece, offset, length) => piece + offset + length,
  request: (piece, offset, length) => piece + offset + length,
  resume() {},
  suggest: (piece) => piece.toFixed(),
  timeout() {},
  unchoke() {},
  uninterested() {},
  unknownmessage: (message) => message.readUInt8(0),
  unpipe: (source) => source.isPaused(),
  upload: (bytes) => bytes.toFixed()
}

class Peer extends Wire {
  constructor() {
    super(options)
    this.once('handshake', (infoHash) => this.handshake(infoHash, Buffer.alloc(20, 3)))
  }
}

function useEverything(): void {
  const wire: Wire = new Wire(options)
  for (const event of Object.keys(listeners) as (keyof Listeners)[]) add(wire, event)
  for (const infoHashes of served) new Wire({ infoHashes }).destroy()
  for (const use of Object.values(uses)) use(wire)
  assert(wire.emit('own event', 1) === false)
  assert(wire.destroy(new Error('enough')) === wire)
  assert.strictEqual(wire.error?.message, 'enough')
}

function add<E extends keyof Listeners>(wire: Wire, event: E): void {
  const listener: (...args: pwp.Events[E]) => void = listeners[event]
  wire.on(event, listener).off(event, listener)
  wire.addListener(event, listener).removeListener(event, listener)
  wire.prependListener(event, listener).off(event, listener)
  wire.prependOnceListener(event, listener).off(event, listener)
  wire.once(event, listener).off(event, listener)
}

function seed(socket: Socket): void {
  const wire = new Peer()
  socket.pipe(wire).pipe(socket)
  serve(wire)
}

function serve(wire: Wire): void {
  wire.on('interested', () => wire.unchoke())
  wire.on('request', (piece, offset, length, respond) => {
    const start = piece * LENGTH + offset
    respond(null, data.subarray(start, start + length))
  })
}

async function download(wire: Wire): Promise<Buffer> {
  wire.handshake(INFO_HASH, Buffer.alloc(20, 4))
  wire.interested()
  await once(wire, 'unchoke')
  return Buffer.concat(await Promise.all([0, 1, 2].map((piece) => fetchPiece(wire, piece))))
}

function fetchPiece(wire: Wire, piece: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    wire.request(piece, 0, LENGTH, (error, bytes) => (error ? reject(error) : resolve(bytes)))
  })
}

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex')
}

async function main(): Promise<void> {
  useEverything()
  const server = createServer(seed).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const wire = pwp({ pieces: 3 })
  socket.pipe(wire).pipe(socket)
  assert.strictEqual(sha1(await download(wire)), sha1(data))
  wire.destroy()
  server.close()
  await useNativeSockets()
}

async function useNativeSockets(): Promise<void> {
  const serving: pwp.ServerOptions = {
    infoHashes: INFO_HASH,
    filter: () => true,
    maxPeerRequests: 9
  }
  const server: pwp.Server = await pwp.promises.listen(
    { ...serving, host: '127.0.0.1' },
    (wire) => {
      wire.once('handshake', (infoHash) => wire.handshake(infoHash, Buffer.alloc(20, 3)))
      serve(wire)
    }
  )
  server.on('refuse', (error, { remoteAddress }) => assert.ifError(error ?? remoteAddress.at(99)))
  const port = server.address()?.port
  assert(port !== undefined)
  const dialing: pwp.ConnectOptions = { port, host: '127.0.0.1', pieces: 3, connectTimeout: 60_000 }
  const wire = pwp.connect(dialing)
  assert.strictEqual(sha1(await download(wire)), sha1(data))
  assert(wire.transport === 'native' && wire.remotePort === port)
  wire.destroy()
  const again: Wire = await pwp.promises.connect(dialing)
  again.destroy()
  const attached = pwp.attach(connect(port, '127.0.0.1'), { pieces: 3 })
  assert.strictEqual(sha1(await download(attached)), sha1(data))
  assert(attached.transport === 'stream')
  attached.destroy()
  await new Promise((resolve) => server.close(resolve))
  await useServing()
  await useOtherClass()
}

/** The class of bittorrent-protocol, with an extension, over TCP. */
async function useOtherClass(): Promise<void> {
  class Chat implements BittorrentWire.Extension {
    declare readonly name: string
    received: string[] = []

    onMessage(message: Buffer): void {
      this.received.push(message.toString())
    }
  }
  Object.defineProperty(Chat.prototype, 'name', { value: 'chat' })
  const meet = (wire: SameWire, socket: Socket): BittorrentWire => {
    socket.pipe(wire).pipe(socket)
    wire.use(Chat)
    return wire
  }
  const server = createServer((socket) => {
    const wire = meet(new SameWire('tcpIncoming', 0, { maxPeerRequests: 10 }), socket)
    wire.once('handshake', (infoHash, peerId, extensions) => {
      assert(!extensions.dht)
      wire.handshake(infoHash, peerId, { fast: true })
      wire.unchoke()
    })
    wire.on('request', (index, offset, length, respond) =>
      respond(null, data.subarray(index * LENGTH + offset).subarray(0, length))
    )
    wire.on('extended', (ext) => {
      if (ext === 'handshake') wire.extended('chat', Buffer.from('hello'))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wire = meet(new BittorrentWire('tcpOutgoing'), connect(port, '127.0.0.1'))
  wire.handshake(INFO_HASH, INFO_HASH, { dht: false, fast: true })
  await once(wire, 'unchoke')
  const block = await new Promise<Buffer>((resolve, reject) =>
    wire.request(1, 0, LENGTH, (error, found) => (found ? resolve(found) : reject(error)))
  )
  assert(block.equals(data.subarray(LENGTH, 2 * LENGTH)))
  const { chat } = wire as BittorrentWire & { chat: Chat }
  if (chat.received.length === 0) await once(wire, 'extended')
  const reqq: number | undefined = wire.peerExtendedHandshake.reqq
  assert(reqq === 10 && !wire.peerPieces.get(0) && wire.error === null)
  wire.destroy()
  await new Promise((resolve) => server.close(resolve))
}

async function useServing(): Promise<void> {
  const pieces: Uint8Array[] = [0, 1, 2].map((index) =>
    data.subarray(index * LENGTH, (index + 1) * LENGTH)
  )
  const source = new pwp.PieceSource({ pieceLength: LENGTH, length: data.length, pieces })
  source.on('error', (error) => assert.fail(error.path))
  assert(source.has(2) && source.count === 3 && source.failures === 0 && !source.closed)
  const server = await pwp.promises.listen({ infoHashes: INFO_HASH, host: '127.0.0.1' }, (wire) => {
    wire.once('handshake', (infoHash) => wire.handshake(infoHash, Buffer.alloc(20, 3)))
    wire.on('interested', () => wire.unchoke())
    wire.serve(source)
  })
  const port = server.address()?.port
  assert(port !== undefined)
  const wire = pwp.connect({ port, host: '127.0.0.1', pieces: 3 })
  assert.strictEqual(sha1(await download(wire)), sha1(data))
  wire.destroy()
  source.close()
  await new Promise((resolve) => server.close(resolve))
}

void main()
