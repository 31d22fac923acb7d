// The types of the class of bittorrent-protocol, as its users meet them.
import { Duplex } from 'node:stream'
import { expectAssignable, expectError, expectType } from 'tsd'
import Wire = require('../../bittorrent-protocol')
import DefaultWire, { Wire as NamedWire } from '../../bittorrent-protocol'

const wire = new Wire('tcpOutgoing', 1, { refusePlain: true })
expectAssignable<Duplex>(wire)
expectType<Wire>(new DefaultWire())
expectType<Wire>(new NamedWire('webSeed'))
const named: NamedWire = new NamedWire()
expectType<Wire>(named)
expectAssignable<NamedWire>(wire)
expectType<typeof Wire>(Wire.Wire)
expectType<typeof Wire>(Wire.default)
const settings: Wire.Options & NamedWire.Options = { maxPeerRequests: 5 }
expectType<Wire>(new Wire('', 0, settings))
class NamedSeed extends NamedWire {
  readonly url = ''
}
expectAssignable<DefaultWire>(new NamedSeed())
expectType<Wire>(new Wire('myOwn', 2))
expectType<Wire>(new Wire('tcpIncoming', 3, false))
expectError(new Wire('tcpIncoming', 3))
expectError(new Wire('tcpIncoming', 1, { refusePlain: 'yes' }))
Wire.defaults = { maxPeerRequests: 500 }
expectType<boolean>(Wire.nativeRC4)

// Web seeds extend it
class WebSeed extends Wire {
  constructor(readonly url: string) {
    super('webSeed')
  }

  destroy(): this {
    super.destroy()
    return this
  }
}
expectType<string>(new WebSeed('').url)
expectAssignable<Wire>(new WebSeed(''))

// Properties
expectType<string | null>(wire.peerId)
expectType<Buffer | null>(wire.peerIdBuffer)
expectType<boolean>(wire.peerPieces.get(3))
wire.peerPieces.set(3, false)
if (wire.peerPieces.setAll !== undefined) expectType<Wire.PieceSet>(wire.peerPieces)
wire.requests = wire.requests.filter(({ piece }) => piece !== 3)
expectType<number>(wire.uploadSpeed(5))
expectType<number>(wire.downloadSpeed())
expectType<number | undefined>(wire.peerExtendedHandshake.reqq)
expectType<Error | null>(wire.error)
expectError((wire.error = new Error('')))

// Methods
wire.handshake(Buffer.alloc(20), '00'.repeat(20), { dht: true, fast: false })
expectError(wire.handshake(5, ''))
wire.bitfield({ buffer: new Uint8Array(3) })
wire.request(0, 0, 16_384)
wire.request(0, 0, 16_384, (error, block) => {
  expectType<Error | null>(error)
  expectType<Buffer | null>(block)
})
expectError(wire.request('0', 0, 1))
wire.extended('ut_pex', { added: new Uint8Array(6) })
wire.extended(0, new Uint8Array(2))
wire.setTimeout(30_000, true)
wire.setKeepAlive()

// Events
wire.on('handshake', (infoHash, peerId, extensions) => {
  expectType<string>(infoHash)
  expectType<string>(peerId)
  expectType<Wire.HandshakeExtensions>(extensions)
})
wire.once('request', (index, offset, length, respond) => {
  expectType<[number, number, number]>([index, offset, length])
  respond(null, new Uint8Array(length))
  respond(new Error('none'))
})
wire.on('bitfield', (pieces) => pieces.setAll([true]))
wire.on('piece', (index, offset, block) => expectType<Buffer>(block))
wire.on('extended', (ext, message) => {
  expectType<string | number>(ext)
  expectType<Buffer | Wire.ExtendedHandshake>(message)
})
wire.on('extended', (ext) => expectType<string | number>(ext))
wire.on('crypto-infohash', (hash) => wire.setInfoHash(hash))
wire.on('my-own', (...args) => expectType<any[]>(args))
expectType<boolean>(wire.emit('have', 3))
expectError(wire.emit('have', '3'))
expectError(wire.on('have', (index: string) => index))

// Extensions
expectType<void>(wire.use(Wire.extensions.utPex()))
expectType<void>(wire.use(Wire.extensions.utMetadata()))
expectType<void>(wire.use(Wire.extensions.ltDonthave()))
class Chat implements Wire.Extension {
  declare readonly name: string
  constructor(readonly peer: Wire) {}

  onExtendedHandshake(handshake: Wire.ExtendedHandshake) {
    expectType<{ [name: string]: number } | undefined>(handshake.m)
  }

  onMessage(message: Buffer) {
    this.peer.extended('chat', message)
  }
}
expectType<void>(wire.use(Chat))
expectAssignable<Wire.ExtensionConstructor>(Chat)
expectError(
  wire.use(
    class {
      nick = ''
    }
  )
)
