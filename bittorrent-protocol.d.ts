import { Duplex } from 'node:stream'
import pwp = require('./index')

/**
 * A connection to a peer with the API of the npm package bittorrent-protocol 5, as a Duplex of the bytes of the wire.
 * Differences are in docs/compat-bittorrent-protocol.md.
 */
declare class Wire extends Duplex {
  /** Always true: RC4 needs nothing of OpenSSL. */
  static readonly nativeRC4: boolean
  /** Extensions of the package, as functions that make a class for `use()`. */
  static readonly extensions: pwp.OfferedExtensions
  /** Options of all wires that are made later, for those who do not make them themselves. */
  static defaults: Wire.Options

  /**
   * @param type how the connection was made; encryption looks for 'Incoming' in it
   * @param peEnabled 0 no encryption, 1 encryption with plain text preferred, 2 RC4 only
   * @throws TypeError | RangeError when one is wrong
   */
  constructor(type?: Wire.ConnectionType, peEnabled?: Wire.EncryptionLevel, options?: Wire.Options)
  /** The arguments of version 4, whose encryption is left out. */
  constructor(type: Wire.ConnectionType, retries: number, peEnabled: boolean)

  type: Wire.ConnectionType
  /** Of the peer, in hex; null before its handshake. */
  peerId: string | null
  peerIdBuffer: Buffer | null
  /** Whether we choke the peer. Starts true. */
  amChoking: boolean
  amInterested: boolean
  /** Whether the peer chokes us. Starts true. */
  peerChoking: boolean
  peerInterested: boolean
  /** Replaced by another object at each bitfield, and when the peer has all. */
  peerPieces: Wire.PieceSet | Wire.AllPieces
  /** What our handshake announces; empty before. */
  extensions: Partial<Wire.HandshakeExtensions>
  /** What the peer's handshake announces; empty before. */
  peerExtensions: Partial<Wire.HandshakeExtensions>
  /** Our open requests: to be edited, or replaced. */
  requests: Wire.Request[]
  /** The peer's requests without an answer: to be edited, or replaced. */
  peerRequests: Wire.Request[]
  /** Our extensions: names by id. */
  extendedMapping: { [id: number]: string }
  /** Extensions of the peer: ids by name. */
  peerExtendedMapping: { [name: string]: number }
  /** What our extended handshake says besides `m`: to be added to, or assigned. */
  extendedHandshake: { [key: string]: unknown }
  /** The newest one of the peer, with Buffers for strings; empty before. */
  peerExtendedHandshake: Wire.ExtendedHandshake
  /** Whether both handshakes announce the fast extension (BEP 6). */
  hasFast: boolean
  /** Pieces that we serve even while we choke. */
  allowedFastSet: number[]
  /** Pieces that the peer serves even while it chokes us: the newest 100. */
  peerAllowedFastSet: number[]
  /** Bytes of blocks. */
  uploaded: number
  downloaded: number
  /** Counts bytes, if any are given; returns bytes per second over the last five seconds. */
  uploadSpeed: (bytes?: number) => number
  downloadSpeed: (bytes?: number) => number
  /** Why the wire has ended, if the peer is the reason: there is no 'error' event for that. Null otherwise. */
  readonly error: Error | null

  /**
   * @param infoHash 20 bytes, or 40 hex digits
   * @param peerId 20 bytes, or 40 hex digits
   * @throws Error `infoHash and peerId MUST have length 20`
   */
  handshake(
    infoHash: Uint8Array | string,
    peerId: Uint8Array | string,
    extensions?: { dht?: boolean; fast?: boolean }
  ): void
  choke(): void
  unchoke(): void
  interested(): void
  uninterested(): void
  have(index: number): void
  /** @param bitfield the high bit first; or an object with these bytes as its `buffer` */
  bitfield(bitfield: Uint8Array | { readonly buffer: Uint8Array }): void
  /** @param callback called once: at once with an error if the peer chokes us, or the wire has ended */
  request(index: number, offset: number, length: number, callback?: Wire.RequestCallback): void
  /** @param buffer must not change until it is sent */
  piece(index: number, offset: number, buffer: Uint8Array): void
  /** Fails the oldest request for this block; the message is sent even if there is none. */
  cancel(index: number, offset: number, length: number): void
  port(port: number): void
  keepAlive(): void
  /** These five throw `fast extension is disabled` without the fast extension. */
  suggest(index: number): void
  haveAll(): void
  haveNone(): void
  reject(index: number, offset: number, length: number): void
  allowedFast(index: number): void
  /**
   * Sends a message of an extension.
   *
   * @param ext the peer's id, or the name of an extension of the peer; 0 is our handshake
   * @param message bytes, or a value to bencode
   * @throws Error `Unrecognized extension: ...` if the peer does not have it
   */
  extended(ext: number | string, message: unknown): void
  /** Uses an extension, whose instance becomes the property of its name. */
  use(extension: Wire.ExtensionConstructor): void
  /** Sends a keep-alive every 55 seconds, or stops. */
  setKeepAlive(enable?: boolean): void
  /**
   * Limits how long the oldest request may wait while no answer comes.
   *
   * @param ms 0 for no limit
   * @param unref whether the timer does not keep the process alive
   */
  setTimeout(ms: number, unref?: boolean): void
  /** Begins a key exchange, if encryption is enabled. */
  startEncryption(infoHash: string): void
  /** Names the torrent that 'crypto-infohash' has asked for. */
  setInfoHash(infoHash: string): void
  /** Ends both directions; the argument is ignored. Undefined once the wire is closed. */
  destroy(error?: Error | null): this

  addListener<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  addListener<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  emit<E extends keyof Wire.Events>(event: E, ...args: Wire.Events[E]): boolean
  emit<E extends string | symbol>(event: Wire.OtherEvent<E>, ...args: any[]): boolean
  off<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  off<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  on<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  on<E extends string | symbol>(event: Wire.OtherEvent<E>, listener: (...args: any[]) => void): this
  once<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  once<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  prependListener<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  prependListener<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  prependOnceListener<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  prependOnceListener<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
  removeListener<E extends keyof Wire.Events>(event: E, listener: Wire.Listener<E>): this
  removeListener<E extends string | symbol>(
    event: Wire.OtherEvent<E>,
    listener: (...args: any[]) => void
  ): this
}

import Self = Wire

declare namespace Wire {
  /** The class itself, for `import { Wire } from 'peer-wire-native/bittorrent-protocol'`. */
  export { Self as Wire, Self as default }

  /** Those of webtorrent, and others of one's own. */
  export type ConnectionType =
    | 'tcpIncoming'
    | 'tcpOutgoing'
    | 'utpIncoming'
    | 'utpOutgoing'
    | 'webrtc'
    | 'webSeed'
    | (string & {})

  export type EncryptionLevel = 0 | 1 | 2

  export interface Options {
    /** Longest message of the peer, in bytes. Default: 1 MiB. */
    maxMessageLength?: number
    /** Most requests of the peer that wait; further ones are refused. Default: 10,000, of which 2000 are announced. */
    maxPeerRequests?: number
    /** Bytes of output and of requests without an answer above which requests are held back. Default: 1 MiB. */
    uploadBacklog?: number
    /** Whether, with encryption enabled, a peer that does not encrypt with RC4 is refused. Default: false. */
    refusePlain?: boolean
  }

  export interface HandshakeExtensions {
    dht: boolean
    fast: boolean
    extended: boolean
  }

  export interface ExtendedHandshake {
    /** Ids of the peer's extensions by name. */
    m?: { [name: string]: number }
    /** Most requests that the peer keeps. */
    reqq?: number
    metadata_size?: number
    /** Buffers, numbers, and arrays and objects of these. */
    [key: string]: any
  }

  export type RequestCallback = (error: Error | null, block: Buffer | null) => void

  /** Answers a request of the peer, once. With an error it is rejected, if the fast extension is agreed on. */
  export type Respond = (error: Error | null | undefined, block?: Uint8Array | null) => void

  export interface Request {
    piece: number
    offset: number
    length: number
    callback: (error: any, block?: any) => void
  }

  /** Pieces as bits. */
  export interface PieceSet {
    /** The high bit first; grows. */
    buffer: Uint8Array
    readonly length: number
    get(index: number): boolean
    set(index: number, value?: boolean): void
    setAll(values: ArrayLike<unknown>, offset?: number): void
    forEach(callback: (bit: boolean, index: number) => void, start?: number, end?: number): void
    isEmpty(): boolean
  }

  /** All pieces, however many these are, but those that were cleared. */
  export interface AllPieces {
    /** Empty. */
    readonly buffer: Uint8Array
    readonly setAll?: undefined
    get(index: number): boolean
    set(index: number, value?: boolean): void
  }

  /** What {@link Wire.use} makes of a class: the methods it calls, each where there is one. */
  export interface Extension {
    /** The peer's handshake, in hex. */
    onHandshake?(infoHash: string, peerId: string, extensions: HandshakeExtensions): void
    /** An extended handshake of the peer, which has this extension. */
    onExtendedHandshake?(handshake: ExtendedHandshake): void
    /** A message of this extension. */
    onMessage?(message: Buffer): void
  }

  export interface ExtensionConstructor<E extends Extension = Extension> {
    new (wire: Wire): E
    /** The name is as both sides announce it. */
    readonly prototype: E & { readonly name: string }
  }

  export type Listener<E extends keyof Events> = (...args: Events[E]) => void

  /** Events that are not of this class. */
  export type OtherEvent<E> = E extends keyof Events ? never : E

  export interface Events {
    handshake: [infoHash: string, peerId: string, extensions: HandshakeExtensions]
    choke: []
    unchoke: []
    interested: []
    uninterested: []
    /** A piece that is new. */
    have: [index: number]
    bitfield: [peerPieces: PieceSet]
    request: [index: number, offset: number, length: number, respond: Respond]
    piece: [index: number, offset: number, block: Buffer]
    cancel: [index: number, offset: number, length: number]
    port: [port: number]
    'keep-alive': []
    suggest: [index: number]
    'have-all': []
    'have-none': []
    reject: [index: number, offset: number, length: number]
    'allowed-fast': [index: number]
    /**
     * An extended handshake, for which `ext` is 'handshake', or the bytes of a message of an extension: by its name, or
     * by an id that is not ours.
     */
    extended: [ext: string | number, message: Buffer | ExtendedHandshake]
    /** A message that has no meaning here, from its id on. */
    unknownmessage: [message: Buffer]
    upload: [bytes: number]
    download: [bytes: number]
    /** A request has waited for too long, and has failed. */
    timeout: []
    /** The peer has begun a key exchange: `setInfoHash()` has to name the torrent with this hash. */
    'crypto-infohash': [hash: string]
    /** It is settled what is encrypted: the time to send our handshake. */
    'crypto-handshake': []
    close: []
    data: [chunk: Buffer]
    drain: []
    end: []
    error: [error: Error]
    finish: []
    pause: []
    pipe: [source: NodeJS.ReadableStream & { unpipe(): unknown }]
    readable: []
    resume: []
    unpipe: [source: NodeJS.ReadableStream & { unpipe(): unknown }]
  }
}

export = Wire
