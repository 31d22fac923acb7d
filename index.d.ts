import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'

/**
 * A connection to a peer, as a Duplex of the bytes of the BitTorrent peer wire protocol:
 * `socket.pipe(wire).pipe(socket)`. Callable with and without `new`.
 */
declare const Wire: Wire.Constructor
type Wire = Wire.Instance

declare namespace Wire {
  interface Constructor {
    new (options?: Options): Instance
    (options?: Options): Instance
    readonly prototype: Instance
    /** The constructor itself, for `import { Wire } from 'peer-wire-native'`. */
    readonly Wire: Constructor
    /** The class of the errors that a peer causes. */
    readonly ProtocolError: ProtocolErrorConstructor
    /** Message stream encryption: encrypted streams, to which wires are piped. Loaded when it is used. */
    readonly encryption: encryption.Encryption
    /**
     * Makes the class of an extension with messages of one's own, for `wire.use()`.
     *
     * @param name of the extension, as both sides announce it
     * @param codec how its messages become bytes, and back; default: bencode
     */
    makeExtension<T = any>(name: string, codec?: Codec<T> | null): MessageExtensionClass<T>
    /** Extensions that the package offers, as functions that make a class for `wire.use()`. */
    readonly extensions: OfferedExtensions
    /** Fetches the info dictionary of a torrent from several wires. */
    readonly MetadataFetcher: MetadataFetcherConstructor
    /**
     * Fetches a piece from several wires: the first that has it and does not choke us, and where that gives up the
     * next, which goes on with what has arrived.
     *
     * @param wires in the order in which they are asked
     * @throws TypeError or RangeError, at once, for a wrong argument
     */
    fetchPiece(
      wires: Iterable<Instance>,
      index: number,
      options: SeveralPieceOptions
    ): Promise<Buffer>
    /**
     * Memory of zeros for `into` of `fetchPiece()`: a native wire writes pieces there directly, block by block, so
     * that it may be used again and again without a copy. Blocks in it are sent without one, too: they must stay
     * unchanged until `await wire.flushed()`.
     *
     * @param length in bytes, up to 2**30
     * @throws TypeError or RangeError for a wrong argument, or when there is not enough memory
     */
    allocate(length: number): Buffer
    /** Limits of speed that native wires share. */
    readonly RateGroup: RateGroupConstructor
    /**
     * The pieces that a peer may request while it is choked (BEP 6), as both sides find them.
     *
     * @param address of the peer; there is no set for IPv6
     * @param infoHash 20 bytes, or 40 hex digits
     * @param pieces of the torrent
     * @param count how many; default 10
     */
    allowedFastSet(
      address: string,
      infoHash: Uint8Array | string,
      pieces: number,
      count?: number
    ): number[]
    /** The hash tree of a file of version 2 (BEP 52). */
    readonly HashTree: HashTreeConstructor
    /**
     * The hash of a piece of version 2 (BEP 52), as the piece layer has it.
     *
     * @param options `pieceLength` of the torrent; without it, the root of a file that is no longer than a
     *   piece, which has no piece layer
     */
    pieceRoot(piece: Uint8Array, options?: { pieceLength?: number | undefined } | null): Buffer
    /**
     * Connects to a peer by a native socket: a thread of the package reads and writes it. The wire may be used
     * at once; `'connect'` follows, or it closes with the error.
     *
     * @throws TypeError or RangeError for a wrong option
     */
    connect(options: ConnectOptions): Instance
    /** Makes a server whose wires have native sockets. It listens once `listen()` is called. */
    createServer(options?: ServerOptions | null, listener?: WireListener): Server
    createServer(listener: WireListener): Server
    /**
     * A wire for a socket of Node that is open already, or for another Duplex, with which it ends. It is piped:
     * `wire.transport` is `'stream'`.
     */
    attach(socket: Duplex, options?: Options | null): Instance
    readonly promises: Promises
    /** Pieces in memory or in files, for `wire.serve()`. */
    readonly PieceSource: PieceSourceConstructor
  }

  interface PieceSourceConstructor {
    /** @throws TypeError or RangeError for a wrong option */
    new (options: PieceSourceOptions): PieceSource
    readonly prototype: PieceSource
  }

  interface PieceLayout {
    /** Bytes of a piece. */
    pieceLength: number
  }

  interface PiecesInMemory extends PieceLayout {
    /** Bytes of all pieces; the last one may be shorter. */
    length: number
    files?: null | undefined
    /** Those that are there, which are copied. */
    pieces?:
      | readonly (Uint8Array | null | undefined)[]
      | ReadonlyMap<number, Uint8Array>
      | null
      | undefined
  }

  interface PiecesInFiles extends PieceLayout {
    /** Bytes of all pieces: the sum of the files. */
    length?: number | null | undefined
    /** As the torrent lays them out. */
    files: readonly (SourceFile | SourcePadding)[]
    /** The bits of those that are there, the high bit first. Default: all. */
    pieces?: Uint8Array | { readonly buffer: Uint8Array } | null | undefined
  }

  type PieceSourceOptions = PiecesInMemory | PiecesInFiles

  interface SourceFile {
    path: string
    /** Bytes. */
    length: number
    padding?: false | undefined
  }

  /** Bytes of zero that are in no file. */
  interface SourcePadding {
    length: number
    padding: true
  }

  interface PieceSourceEvents {
    /** A file cannot be read: its requests are rejected. Emitted only if someone listens. */
    error: [error: SourceError]
  }

  /** Files that are not as they have to be. */
  type SourceErrorCode = 'ERR_PWP_FILE_CHANGED' | 'ERR_PWP_FILE_SHORT' | 'ERR_PWP_FILE_TYPE'

  /** What is wrong with a file: see docs/transport.md. */
  interface SourceError extends NodeJS.ErrnoException {
    /** One of ours, or that of the system. */
    readonly code: SourceErrorCode | (string & {})
    readonly path: string
    /** The piece that was to be read. */
    readonly piece: number
  }

  interface PieceSource extends EventEmitter {
    readonly pieceLength: number
    readonly length: number
    /** Pieces, whether they are there or not. */
    readonly count: number
    readonly closed: boolean
    /** Blocks that could not be read, and were not sent. */
    readonly failures: number
    /**
     * A piece is there from now on: in the files, or with these bytes, which are copied.
     *
     * @param bytes of a piece in memory; left out for one in files
     */
    add(index: number, bytes?: Uint8Array): this
    /** A piece is not there any more; returns whether it was. */
    remove(index: number): boolean
    has(index: number): boolean
    /** Nothing is there any more. Further requests are rejected. */
    close(): void
    on<E extends keyof PieceSourceEvents>(
      event: E,
      listener: (...args: PieceSourceEvents[E]) => void
    ): this
    on(event: string | symbol, listener: (...args: any[]) => void): this
    once<E extends keyof PieceSourceEvents>(
      event: E,
      listener: (...args: PieceSourceEvents[E]) => void
    ): this
    once(event: string | symbol, listener: (...args: any[]) => void): this
  }

  interface Promises {
    /** Gives a wire that is connected. */
    connect(options: ConnectOptions): Promise<Instance>
    /** Gives a server that listens. */
    listen(
      options?: (ServerOptions & ListenOptions) | null,
      listener?: WireListener
    ): Promise<Server>
  }

  /** What is set for each native socket. */
  interface SocketOptions {
    /** `TCP_NODELAY`. Default true. */
    noDelay?: boolean | undefined
    /** Size of the system's receive buffer in bytes. Default 0: left to the system. */
    receiveBufferSize?: number | undefined
    /** Size of the system's send buffer in bytes. Default 0: left to the system. */
    sendBufferSize?: number | undefined
  }

  type LookupCallback = (
    error: Error | null,
    address: string | readonly { address: string; family?: number }[],
    family?: number
  ) => void

  interface ConnectOptions extends Options, SocketOptions {
    /** Of the peer: a number, or digits. */
    port: number | string
    /** An address or a name. Default `'localhost'`. */
    host?: string | undefined
    /** 4 or 6 for one kind of addresses. Default 0: both. */
    family?: 0 | 4 | 6 | undefined
    /** Our address. Default: chosen by the system. */
    localAddress?: string | undefined
    /** Our port. Default: chosen by the system. */
    localPort?: number | undefined
    /** In place of `dns.lookup()`. */
    lookup?:
      | ((host: string, options: { all: true; family: number }, callback: LookupCallback) => void)
      | undefined
    /** Ms that the lookup and all attempts may take together; 0, the default, for no limit of ours. */
    connectTimeout?: number | undefined
    /** Ms that an address may take while there are more. Default 250. */
    attemptTimeout?: number | undefined
    /** Destroys the wire with an `AbortError`, until it is connected. */
    signal?: AbortSignal | undefined
    /** Whether the wire keeps the process alive. Default true. */
    ref?: boolean | undefined
  }

  interface ServerOptions extends Omit<Options, 'encryption'>, SocketOptions {
    /** Whether a peer may connect; asked before anything is made for it. */
    filter?: ((address: string, port: number) => boolean) | undefined
    /**
     * Limits on peers of which the torrent is not known yet. Default: that of `encryption`, or one for the whole
     * process.
     */
    handshakePolicy?: encryption.Policy | undefined
    /** A key exchange in front of the handshake. `role` is `'responder'`. */
    encryption?: (Omit<encryption.WireOptions, 'role'> & { role?: 'responder' }) | null | undefined
  }

  interface ListenOptions {
    /** Default 0: chosen by the system. */
    port?: number | string | undefined
    /** Default: all addresses, of IPv6 and IPv4. */
    host?: string | undefined
    /** Connections that the system keeps until they are taken. Default 511. */
    backlog?: number | undefined
    /** Closes the server. */
    signal?: AbortSignal | undefined
  }

  /** `infoHash` is the torrent that the peer wants; null where all are served. */
  type WireListener = (wire: Instance, infoHash: Buffer | null) => void

  /** Both ends of a connection. */
  interface Place {
    localAddress: string
    localPort: number
    localFamily: 'IPv4' | 'IPv6'
    remoteAddress: string
    remotePort: number
    remoteFamily: 'IPv4' | 'IPv6'
  }

  interface ServerEvents {
    /** A peer, as soon as it is known that it wants a torrent that is served. */
    wire: [wire: Instance, infoHash: Buffer | null]
    listening: []
    /** All wires have closed after `close()`. */
    close: []
    /** It cannot listen; or, only if someone listens, a connection could not be taken. */
    error: [error: Error]
    /** A connection above `maxConnections`. */
    drop: [place: Place]
    /** A peer that was not shown: too many handshakes, another torrent, or it left. */
    refuse: [error: Error | null, place: Place]
  }

  type ServerListener<E extends keyof ServerEvents> = (...args: ServerEvents[E]) => void

  /** A server of native wires, as net.Server is one of sockets. */
  interface Server extends EventEmitter {
    /** Connections above which further ones are dropped; undefined for no limit. */
    maxConnections: number | undefined
    readonly listening: boolean
    /** Connections that are open, also those that were not shown yet. */
    readonly connections: number
    listen(listener?: () => void): this
    listen(options: ListenOptions, listener?: () => void): this
    listen(port: number | string, listener?: () => void): this
    listen(port: number | string, host: string, listener?: () => void): this
    listen(port: number | string, backlog: number, listener?: () => void): this
    listen(port: number | string, host: string, backlog: number, listener?: () => void): this
    /** Null while it does not listen. */
    address(): { address: string; family: 'IPv4' | 'IPv6'; port: number } | null
    /** Takes no more connections; `'close'` follows when all wires have closed. */
    close(callback?: (error?: Error) => void): this
    /** Keeps the process alive while it listens, as it does from the start. */
    ref(): this
    unref(): this
    addListener<E extends keyof ServerEvents>(event: E, listener: ServerListener<E>): this
    on<E extends keyof ServerEvents>(event: E, listener: ServerListener<E>): this
    once<E extends keyof ServerEvents>(event: E, listener: ServerListener<E>): this
    off<E extends keyof ServerEvents>(event: E, listener: ServerListener<E>): this
    removeListener<E extends keyof ServerEvents>(event: E, listener: ServerListener<E>): this
    [Symbol.asyncDispose](): Promise<void>
  }

  interface HashTreeConstructor {
    /**
     * From the hashes of one layer, 32 bytes each, which are copied.
     *
     * @param options `baseLayer` says which: 0, the default, for the hashes of blocks; for those of pieces
     *   the binary logarithm of the blocks of a piece
     */
    new (hashes: Uint8Array, options?: { baseLayer?: number | undefined } | null): HashTree
    readonly prototype: HashTree
  }

  interface HashTree {
    /** `pieces root` of the file. */
    readonly root: Buffer
    /** The layer of the root. */
    readonly rootLayer: number
    /** The hashes that answer a request, with their uncles; null if it has to be rejected. */
    hashesFor(request: HashRange): Buffer | null
  }

  /** A part of the hash tree of a file (BEP 52). */
  interface HashRange {
    /** Of the tree: 32 bytes, or 64 hex digits. */
    readonly root: Uint8Array | string
    /** Layer of the hashes: 0 for those of blocks. */
    readonly baseLayer: number
    /** The first of them in that layer: a multiple of `length`. */
    readonly index: number
    /** How many: a power of two from 2 to 8,192. */
    readonly length: number
    /** Layers above the base layer to prove. */
    readonly proofLayers: number
  }

  /** What a message about hashes names. */
  interface PeerHashRange extends HashRange {
    readonly root: Buffer
  }

  /** What `wire.requestHashes()` asks for. */
  interface WantedHashes extends HashRange {
    /** The node to which the answer must lead, if that is not the root: 32 bytes, or 64 hex digits. */
    readonly parent?: Uint8Array | string | null | undefined
  }

  interface HashRequestOptions {
    /** Gives the request up. */
    signal?: AbortSignal | null | undefined
    /** Ms after which it is given up. Default 0: no limit. */
    timeout?: number | null | undefined
  }

  /** Answers a hash request of the peer with the hashes and their uncles; an error, or no hashes, rejects it. */
  type RespondHashes = (error: Error | null | undefined, hashes?: Uint8Array | null) => void

  /** Message stream encryption: a key exchange in front of the handshake, and RC4 for what follows. */
  namespace encryption {
    type Role = 'initiator' | 'responder'

    /** What a stream begins with, and what it accepts. Initiators encrypt from `'prefer'` on. */
    type Mode = 'off' | 'accept' | 'prefer' | 'require'

    type Method = 'rc4' | 'plaintext'

    /** What both sides have agreed on. */
    interface Agreement {
      /** `'none'` when the peer does not encrypt. */
      readonly method: Method | 'none'
      /** The torrent of the exchange; null when there was none. */
      readonly infoHash: Buffer | null
    }

    interface CommonOptions {
      /** Default `'prefer'`. */
      mode?: Mode | undefined
      /** Methods for the payload, preferred ones first. Default: RC4, and plaintext unless `'require'`. */
      methods?: readonly Method[] | undefined
      /** Ms from the call to the end of the exchange; 0 for no limit. Default: that of the policy. */
      timeout?: number | undefined
      /** Limits that several streams share. Default: one policy for all streams without their own. */
      policy?: Policy | undefined
      /** Destroys the stream with an `AbortError`, until the exchange is over. */
      signal?: AbortSignal | undefined
    }

    interface DialOptions extends CommonOptions {
      /** The torrent, as handshakes have it; not needed in the modes `'off'` and `'accept'`. */
      infoHash?: Uint8Array | string | undefined
      /** Sent with the exchange, up to 16 KiB: usually the handshake, or what is written first. */
      initialPayload?: Uint8Array | 'first-write' | null | undefined
    }

    interface InitiatorOptions extends DialOptions {
      role: 'initiator'
    }

    interface ResponderOptions extends CommonOptions {
      role: 'responder'
      /**
       * The torrents that are served; not needed in the mode `'off'`. A Set may change at any time. A
       * function gets the hash by which the peer asks, and gives the info hash, or null.
       */
      infoHashes?:
        | Uint8Array
        | string
        | readonly (Uint8Array | string)[]
        | ReadonlySet<string>
        | Lookup
        | undefined
      /** Address of the peer, for the policy. Default: the `remoteAddress` of the stream. */
      address?: string | undefined
    }

    /** The option `encryption` of a wire. */
    interface WireOptions {
      role: Role
      /** Default `'prefer'`; `'off'` is the same as no option. */
      mode?: Mode | undefined
      /** Methods for the payload, preferred ones first. Default: RC4, and plaintext unless `'require'`. */
      methods?: readonly Method[] | undefined
      /** The torrent, for an initiator. Default: that of its first `handshake()`. */
      infoHash?: Uint8Array | string | null | undefined
      /**
       * The torrents that are served, for a responder. Default: the option of the wire, unless that is a
       * function. A function gets the hash by which the peer asks, and gives the info hash, or null.
       */
      infoHashes?: ResponderOptions['infoHashes']
      /** Ms from the creation of the wire to the end of the exchange; 0 for no limit. Default: that of the policy. */
      timeout?: number | undefined
      /** Limits that several wires and streams share. Default: one policy for all without their own. */
      policy?: Policy | undefined
      /** Address of the peer, for the policy. Default: the `remoteAddress` of what is piped into the wire. */
      address?: string | undefined
    }

    type Found = Uint8Array | string | null | undefined
    type Lookup = (obfuscatedHash: Buffer) => Found | PromiseLike<Found>

    /** The payload of a connection. */
    interface EncryptedStream extends Duplex {
      /** What was agreed on; null until then. */
      readonly encryption: Agreement | null
      /** Why it closed. `'error'` is emitted only where someone listens. */
      readonly error: Error | null
      /** The stream below. */
      readonly stream: Duplex
      readonly remoteAddress: string | undefined
      readonly remotePort: number | undefined
      /** Passed on to the stream below, if that has it. */
      setNoDelay(noDelay?: boolean): this

      /** It is settled what is encrypted. Emitted before the first payload can be read. */
      on(event: 'encryption', listener: (agreement: Agreement) => void): this
      on(event: string | symbol, listener: (...args: any[]) => void): this
      once(event: 'encryption', listener: (agreement: Agreement) => void): this
      once(event: string | symbol, listener: (...args: any[]) => void): this
    }

    interface Encryption {
      /**
       * Makes an encrypted stream over a stream to a peer, which belongs to it from then on.
       *
       * @throws TypeError or RangeError that names the wrong argument; the stream is left alone
       */
      wrap(stream: Duplex, options: InitiatorOptions | ResponderOptions): EncryptedStream

      /**
       * Connects to a peer. In the mode `'prefer'` it connects once more, in clear text, if the peer has
       * closed the connection, or was silent, before it sent a key.
       *
       * @param dialFunction opens a new connection at each call
       * @returns when it is settled what is encrypted
       */
      dial(
        dialFunction: (attempt: { encrypted: boolean }) => Duplex | PromiseLike<Duplex>,
        options: DialOptions
      ): Promise<EncryptedStream>

      /** The 20 bytes by which peers ask for a torrent. */
      obfuscatedHash(infoHash: Uint8Array | string): Buffer
      readonly Policy: PolicyConstructor
    }

    interface PolicyOptions {
      /** Ms that an exchange may take; 0 for no limit. Default 10,000. */
      timeout?: number | undefined
      /** Bytes that a peer may send before an exchange is over. Default 18,432: more than any takes. */
      maxBytes?: number | undefined
      /** Exchanges that are not over, at once. Default 1,000. */
      maxUnfinished?: number | undefined
      /** The same of one address. Default 50. */
      maxUnfinishedPerAddress?: number | undefined
      /** Ms for which a failed exchange counts for its address; 0 for none. Default 10,000. */
      penalty?: number | undefined
    }

    /** What exchanges may cost a listener, over all streams that share it. */
    interface Policy {
      readonly timeout: number
      readonly maxBytes: number
      readonly maxUnfinished: number
      readonly maxUnfinishedPerAddress: number
      readonly penalty: number
      /** Exchanges that are not over. */
      readonly unfinished: number
    }

    interface PolicyConstructor {
      new (options?: PolicyOptions): Policy
      readonly prototype: Policy
    }
  }

  interface Options {
    /**
     * Seconds over which `uploadSpeed()` and `downloadSpeed()` average: from 1 to 16,383, rounded to
     * quarters of a second. Default 5; 0 means the default.
     */
    speed?: number | undefined
    /** Longest message of the peer in bytes; 0 for no limit. Default 1 MiB. */
    maxMessageLength?: number | undefined
    /** Longest block that the peer may request, in bytes. Default 128 KiB. */
    maxRequestLength?: number | undefined
    /** Most unanswered requests of the peer; further ones are ignored and counted. Default 2,000. */
    maxPeerRequests?: number | undefined
    /**
     * Pieces of the torrent, if known: piece indices and bitfields must then fit exactly.
     * Default 0: unknown, up to 4,194,304 pieces.
     */
    pieces?: number | undefined
    /**
     * Bytes that may be queued: output, and the blocks of unanswered requests of the peer. Each chunk and
     * each request counts 192 bytes more, for its overhead. Above this, further requests of the peer are
     * held back and delivered when output drains. Default 1 MiB.
     */
    uploadBacklog?: number | undefined
    /** Whether violations that do no harm close the wire. Default `'lenient'`: they are only counted. */
    policy?: 'lenient' | 'strict' | undefined
    /** Ms within which the peer's handshake must be received. Default 0: no limit. */
    handshakeTimeout?: number | undefined
    /** Ms for which the peer may be silent. Default 0: no limit. */
    inactivityTimeout?: number | undefined
    /**
     * Whether the wire reads extended handshakes and sends its own, also before an extension is used.
     * Default false: from the first `wire.use()` on.
     */
    extensions?: boolean | undefined
    /**
     * Ms for which a peer with the fast extension may choke us and leave our requests without an answer.
     * Those that it does not allow then fail with `peer is choking`. Default 30,000; 0 for no limit.
     */
    rejectTimeout?: number | undefined
    /**
     * The torrents that are served: the wire closes with `ERR_PWP_INFO_HASH` when the peer wants another.
     * A Set may change at any time. Default: all.
     */
    infoHashes?:
      | Uint8Array
      | string
      | readonly (Uint8Array | string)[]
      | ReadonlySet<string>
      | ((infoHash: Buffer) => boolean)
      | undefined
    /**
     * A peer id that is refused with `ERR_PWP_PEER_ID`, 20 bytes or a string of 20 bytes in UTF-8: our own,
     * so that a client does not connect to itself.
     */
    notPeerId?: Uint8Array | string | undefined
    /** A key exchange in front of the handshake. Default: none, as in the mode `'off'`. */
    encryption?: encryption.WireOptions | null | undefined
    /** Copies payloads that would be views of their chunk, for blocks that are kept for long. */
    copyBlocks?: boolean | undefined
    /** Number of frames to keep for the error that closes the wire. Default 0. */
    transcript?: number | undefined
  }

  /** What a handshake announces. */
  interface Extensions {
    /** The DHT (BEP 5). */
    dht: boolean
    /** The extension protocol (BEP 10). */
    extended: boolean
    /** The fast extension (BEP 6); there if our own handshake asks for it. */
    fast?: boolean
    /** An upgrade to version 2 of the protocol (BEP 52); there if our own handshake announces it. */
    v2?: boolean
  }

  /** What our handshake announces. */
  interface HandshakeOptions {
    /** The DHT (BEP 5). Default false. */
    dht?: boolean | undefined
    /** The extension protocol (BEP 10). Default true. */
    extended?: boolean | null | undefined
    /** The fast extension (BEP 6): agreed on if the peer announces it too. Default false. */
    fast?: boolean | null | undefined
    /**
     * An upgrade to version 2 of the protocol (BEP 52): the info hash of version 2 with which the peer may
     * answer, 32 bytes or 64 hex digits, or the first 20 or 40. `true` only announces it. Default false.
     */
    v2?: boolean | Uint8Array | string | null | undefined
    /** Further flags: the eight reserved bytes, to which those above are added. */
    reserved?: Uint8Array | null | undefined
  }

  /** What `wire.use()` makes of a class: the methods it calls, each where there is one. */
  interface Extension {
    /** As both sides announce it: on the prototype of the class, as a value or a getter. */
    readonly name: string
    /** The peer's handshake, in hex. */
    onHandshake?(infoHash: string, peerId: string, extensions: Partial<Extensions>): void
    /** An extended handshake of the peer, which has this extension. */
    onExtendedHandshake?(handshake: ExtendedHandshake): void
    /** A message of this extension. */
    onMessage?(message: Buffer): void
  }

  /** All extended handshakes of the peer, merged. Values that are not of these types are left out. */
  interface ExtendedHandshake {
    /** Extensions of the peer, with the id that it has given each: `peerExtendedMapping`, which is live. */
    readonly m: Readonly<Record<string, number>>
    /** Name and version of the client. */
    readonly v?: string
    /** TCP port. */
    readonly p?: number
    /** Our address, as the peer sees it. */
    readonly yourip?: string
    readonly ipv4?: string
    readonly ipv6?: string
    /** Most requests that the peer keeps: no more of ours are with it at a time. */
    readonly reqq?: number
    /** Bytes of the info dictionary (BEP 9). */
    readonly metadata_size?: number
    /** Whether the peer prefers encryption. */
    readonly e?: boolean
    /** Whether the peer wants no blocks (BEP 21). */
    readonly upload_only?: boolean
    /** Seconds since the peer has had all pieces. */
    readonly complete_ago?: number
    /** Other keys of the newest one: Buffers, numbers or BigInts, and arrays and objects of these. */
    readonly [key: string]: unknown
  }

  /** How the messages of an extension become bytes, and back. */
  interface Codec<T> {
    encode?: ((value: T) => Uint8Array) | null | undefined
    /** May throw: the message is then malformed. */
    decode?: ((bytes: Buffer) => T) | null | undefined
  }

  interface MessageEvents<T> {
    /** The peer has announced the extension. Emitted once. */
    ready: []
    message: [value: T]
    /** The peer has sent bytes that cannot be decoded. */
    malformed: [bytes: Buffer, error: Error]
  }

  /** An instance of a class that `makeExtension()` has made. */
  interface MessageExtension<T> extends TypedEmitter<MessageEvents<T>> {
    readonly name: string
    /** Whether the peer has the extension now. */
    readonly isReady: boolean
    /**
     * @throws Error `Unrecognized extension: ...` if the peer does not have it
     */
    send(value: T): void
    onExtendedHandshake(): void
    onMessage(message: Buffer): void
  }

  interface MessageExtensionClass<T> {
    new (wire: Instance): MessageExtension<T>
    readonly prototype: MessageExtension<T>
  }

  /** Each makes a class for `wire.use()`, of a wire of this package or of bittorrent-protocol. */
  interface OfferedExtensions {
    /**
     * The extension ut_metadata (BEP 9), in place of the npm package of this name; also for wires of
     * bittorrent-protocol.
     *
     * @param info to be served: an info dictionary or a torrent file; must not change. Anything but bytes is ignored
     */
    utMetadata(info?: unknown): MetadataExtensionClass
    /** lt_donthave (BEP 54), in place of the npm package of this name. */
    ltDonthave(): DonthaveClass
    /** `ut_pex` (BEP 11): the two sides tell each other of peers. */
    utPex(options?: UtPexOptions | null): UtPexClass
    /** `upload_only` (BEP 21): the two sides tell each other whether they want blocks. */
    uploadOnly(): UploadOnlyClass
    /** `ut_holepunch` (BEP 55): helps two peers that cannot reach each other. */
    utHolepunch(): UtHolepunchClass
  }

  /** An event emitter with these events and others of one's own. */
  interface TypedEmitter<Events extends Record<keyof Events, any[]>> extends EventEmitter {
    off<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this
    off<E extends string | symbol>(
      event: E extends keyof Events ? never : E,
      listener: (...args: any[]) => void
    ): this
    on<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this
    on<E extends string | symbol>(
      event: E extends keyof Events ? never : E,
      listener: (...args: any[]) => void
    ): this
    once<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this
    once<E extends string | symbol>(
      event: E extends keyof Events ? never : E,
      listener: (...args: any[]) => void
    ): this
  }

  /** `'1.2.3.4:6881'`, `'[::1]:6881'`, or both parts. */
  type PeerAddress = string | { readonly address: string; readonly port: number }

  interface UtPexOptions {
    /** Whether a peer that does not stop to send messages too often costs it the wire. Default true. */
    destroyOnFlood?: boolean | undefined
  }

  /** What is known of a contact. */
  interface PexFlags {
    prefersEncryption: boolean
    /** It wants no blocks. */
    isSender: boolean
    supportsUtp: boolean
    supportsUtHolepunch: boolean
    /** Somebody has connected to it. */
    isReachable: boolean
  }

  interface UtPexEvents {
    /** The peer tells of a contact. `bits`: the same flags as a byte, also those without a name. */
    peer: [address: string, flags: PexFlags, bits: number]
    /** A contact of which the peer had told is gone. */
    dropped: [address: string]
    /** The peer sends too often. */
    warning: [error: Error]
    /** The peer has sent bytes that cannot be decoded. */
    malformed: [bytes: Uint8Array, error: Error]
  }

  /** Peer exchange with one peer. */
  interface UtPex extends TypedEmitter<UtPexEvents> {
    readonly name: string
    /** Messages of the peer that came too early, and were ignored. */
    readonly earlyMessages: number
    /** Messages of the peer that could not be decoded. */
    readonly malformedMessages: number
    /** Starts to tell the peer of contacts: after a second, then every 65 s if there is something new. */
    start(): void
    /** Tells the peer no more. Contacts are still collected. */
    stop(): void
    /** Stops, and forgets all contacts. */
    reset(): void
    /**
     * Tells the peer of a contact with the next message.
     *
     * @param flags what is known of it, or a byte
     * @returns whether the peer will know of it
     */
    addPeer(address: PeerAddress, flags?: Partial<PexFlags> | number | null): boolean
    /** The same as `addPeer()`. */
    addPeer6(address: PeerAddress, flags?: Partial<PexFlags> | number | null): boolean
    /** Tells the peer that a contact has gone, if it was told of it. */
    dropPeer(address: PeerAddress): void
    /** The same as `dropPeer()`. */
    dropPeer6(address: PeerAddress): void
    onExtendedHandshake(): void
    onMessage(message: Uint8Array): void
  }

  interface UtPexClass {
    new (wire: any): UtPex
    readonly prototype: UtPex
  }

  interface UploadOnlyEvents {
    /** What the peer says, when it says so first, and when it changes. */
    change: [isUploadOnly: boolean]
    /** The peer has sent bytes that cannot be decoded. */
    malformed: [bytes: Uint8Array, error: Error]
  }

  interface UploadOnly extends TypedEmitter<UploadOnlyEvents> {
    readonly name: string
    /** Whether we want no blocks. */
    readonly isUploadOnly: boolean
    /** Whether the peer wants none; null as long as it has not said so. */
    readonly peerIsUploadOnly: boolean | null
    /** Messages of the peer that could not be decoded. */
    readonly malformedMessages: number
    /** Says that we want no blocks, or want some again. */
    set(isUploadOnly: boolean): void
    onMessage(message: Uint8Array): void
  }

  interface UploadOnlyClass {
    new (wire: any): UploadOnly
    readonly prototype: UploadOnly
  }

  interface UtHolepunchEvents {
    /** The peer asks for help with a connection to this one. */
    rendezvous: [address: string]
    /** The peer says: connect to this one now. */
    connect: [address: string]
    /** The peer could not help with a connection to this one. */
    failed: [address: string, code: number]
    /** The peer has sent bytes that cannot be decoded. */
    malformed: [bytes: Uint8Array, error: Error]
  }

  interface UtHolepunch extends TypedEmitter<UtHolepunchEvents> {
    readonly name: string
    /** Whether the peer has the extension now. */
    readonly isReady: boolean
    /** Messages of the peer from before it has announced the extension. */
    readonly ignoredMessages: number
    /** Messages of the peer that could not be decoded. */
    readonly malformedMessages: number
    /**
     * Asks the peer to help with a connection to a peer of its own.
     *
     * @throws Error `Unrecognized extension: ...` if the peer does not have it; so do the other two
     */
    rendezvous(address: PeerAddress): void
    /** Tells the peer to connect to another one now, which is told the same. */
    connect(address: PeerAddress): void
    /** Answers a rendezvous that cannot be. */
    fail(address: PeerAddress, code: number): void
    onMessage(message: Uint8Array): void
  }

  interface UtHolepunchClass {
    new (wire: any): UtHolepunch
    readonly prototype: UtHolepunch
    /** Why a rendezvous fails. */
    readonly codes: Readonly<Record<'noSuchPeer' | 'notConnected' | 'noSupport' | 'noSelf', number>>
  }

  interface DonthaveEvents {
    /** The peer has this piece no longer; our requests for it fail after this event. */
    donthave: [piece: number]
  }

  /** What `pwp.extensions.ltDonthave()` makes instances of. */
  interface Donthave extends TypedEmitter<DonthaveEvents> {
    readonly name: string
    /** Whether the peer has the extension now. */
    readonly isReady: boolean
    /** Messages of the peer that were ignored: malformed, or about a piece that does not exist. */
    readonly ignored: number
    /** Tells the peer that we have this piece no longer, if both sides have announced the extension. */
    donthave(index: number): void
    onMessage(message: Uint8Array): void
  }

  interface DonthaveClass {
    new (wire: any): Donthave
    readonly prototype: Donthave
  }

  interface MetadataEvents {
    /** The metadata is known: a dictionary with the key `info`, bencoded. */
    metadata: [torrent: Buffer]
    /** The metadata cannot be fetched. */
    warning: [error: Error]
  }

  /** The extension ut_metadata of one wire. */
  interface MetadataExtension extends TypedEmitter<MetadataEvents> {
    readonly name: string
    /** The info dictionary, once it is known. */
    readonly metadata: Uint8Array | undefined
    /** Fetches the metadata from the peer, now or as soon as that announces it. */
    fetch(): void
    /** Asks for nothing more; what was received stays. */
    cancel(): void
    /**
     * Sets the metadata, which the peer is served from now on.
     *
     * @param metadata an info dictionary or a torrent file; must not change
     * @returns false if it does not have the info hash of the wire. All is done when this returns
     */
    setMetadata(metadata: Uint8Array): Promise<boolean>
    /** Returns counts of messages. */
    stats(): MetadataStats
    onHandshake(infoHash: string): void
    onExtendedHandshake(handshake: { readonly metadata_size?: any }): void
    onMessage(message: Uint8Array): void
  }

  interface MetadataExtensionClass {
    new (wire: any): MetadataExtension
    readonly prototype: MetadataExtension
  }

  /** Messages of ut_metadata that the peer has sent, by what became of them. */
  interface MetadataStats {
    /** Requests answered with data. */
    answered: number
    /** Requests answered with a reject. */
    rejected: number
    /** Requests that wait until the output has room. */
    waiting: number
    /** Requests that got no answer: above all bounds, or from a peer that has not announced the extension. */
    ignoredRequests: number
    /** Messages that make no sense, or that nobody asked for. */
    ignoredMessages: number
  }

  interface MetadataOptions {
    /** Its reason is the error when it is aborted. */
    signal?: AbortSignal | null | undefined
    /** Ms; 0, the default, for no limit. */
    timeout?: number | null | undefined
  }

  interface WireMetadataOptions extends MetadataOptions {
    /** Most bytes of metadata. Default 32 MiB. */
    maxSize?: number | null | undefined
  }

  /** What was received of some metadata. */
  interface MetadataState {
    /** Bytes of the whole. */
    size: number
    pieces: readonly { piece: number; block: Uint8Array }[]
  }

  interface MetadataFetcherOptions {
    /** Most bytes of metadata. Default 32 MiB. */
    maxSize?: number | null | undefined
    /** Ms until another wire is asked. Default 10,000. */
    requestTimeout?: number | null | undefined
    /** What `state()` of another fetcher has returned. */
    resume?: MetadataState | null | undefined
  }

  interface MetadataFetcherEvents {
    /** A wire is not used any more, and why. Not after `remove()`. */
    drop: [wire: Instance, error: ProtocolError]
  }

  /** Fetches the info dictionary of a torrent from wires that come and go. It destroys none of them. */
  interface MetadataFetcher extends TypedEmitter<MetadataFetcherEvents> {
    /**
     * Uses a wire, before or after its handshakes.
     *
     * @throws Error `ERR_PWP_METADATA_IN_USE` if it uses an extension ut_metadata of another package
     */
    add(wire: Instance): this
    /** Asks a wire for nothing more. What it has given stays. */
    remove(wire: Instance): this
    /** Fetches the info dictionary, from the wires that are there and those that are added. */
    fetch(options?: MetadataOptions | null): Promise<Buffer>
    /** Returns what was received so far; null for nothing, and once it is over. */
    state(): MetadataState | null
    /** Gives everything back. Those who wait get `ERR_PWP_METADATA_DESTROYED`. */
    destroy(): void
  }

  interface MetadataFetcherConstructor {
    /**
     * @param infoHash 20 or 32 bytes (SHA-1, SHA-256) or their hex digits; of an array all must fit
     */
    new (
      infoHash: Uint8Array | string | readonly (Uint8Array | string)[],
      options?: MetadataFetcherOptions | null
    ): MetadataFetcher
    readonly prototype: MetadataFetcher
  }

  /** `error` is null, or says why there is no block. */
  type BlockCallback = (error: Error | null, block: Buffer) => void

  /** What ends one request early. */
  interface RequestOptions {
    /** The request fails with its `reason` when it is aborted, or an `AbortError` where that is not truthy. */
    signal?: AbortSignal | null | undefined
    /**
     * Ms within which the block must be received, from the call on, up to 2^31 - 1; 0 for no limit. The
     * request then fails with `ERR_PWP_REQUEST_TIMEOUT`.
     */
    timeout?: number | null | undefined
    /** Where the block is put: the callback gets a view of it. It must be as long as the block at least. */
    into?: Uint8Array | null | undefined
  }

  /** What was received of a piece. */
  interface PartialPiece {
    /** Of the piece. */
    readonly index: number
    /** What has arrived, in bytes of the piece: from and to, in order, and apart from each other. */
    readonly ranges: [number, number][]
    /** The piece; outside of the ranges there may be anything. Empty if nothing has arrived. */
    readonly bytes: Buffer
  }

  interface FetchPieceOptions {
    /** Bytes of the piece, up to 2^30. */
    length: number
    /** What it must have: a SHA-1 (20 bytes), or a hash of version 2 (32 bytes). Also in hex. */
    hash?: Uint8Array | string | null | undefined
    /** Of a hash of version 2: that of the torrent, unless the hash is the root of a file of one piece. */
    pieceLength?: number | null | undefined
    /** Bytes of a block. Default 16 KiB. */
    blockLength?: number | null | undefined
    /** Ms without a block of it, or of one ahead of it, after which it fails. Default 0: no limit. */
    timeout?: number | null | undefined
    /** Gives it up, with an `AbortError` whose `cause` is the reason. */
    signal?: AbortSignal | null | undefined
    /** Where the piece is put: the promise gives a view of it. */
    into?: Uint8Array | null | undefined
    /** `partial` of the error of an earlier fetch, on any wire. */
    resume?: PartialPiece | null | undefined
    /** Whether a choke ends it. Default false: it waits until the peer unchokes. */
    endOnChoke?: boolean | null | undefined
  }

  interface SeveralPieceOptions extends Omit<FetchPieceOptions, 'endOnChoke'> {
    /** Called with each wire that has been asked in vain, or that has sent wrong bytes. */
    onDrop?: ((wire: Instance, error: FetchPieceError) => void) | null | undefined
  }

  /** Of a piece that was not fetched: a `ProtocolError` if its hash is wrong. */
  interface FetchPieceError extends Error {
    readonly code: FetchPieceErrorCode
    readonly partial: PartialPiece
    /** Piece index, if its hash is wrong. */
    readonly piece?: number
    /** Ms of the timeout that has passed. */
    readonly limit?: number
    /** Of `pwp.fetchPiece()`: the wire. Not there if the piece of several is wrong. */
    readonly wire?: Instance
    /** Of `pwp.fetchPiece()`: those that took part. */
    readonly wires?: Instance[]
  }

  /** Rejects the promise of `pwp.fetchPiece()`. */
  interface NoWireLeftError extends AggregateError {
    readonly code: 'ERR_PWP_NO_WIRE_LEFT'
    readonly errors: FetchPieceError[]
    readonly partial: PartialPiece
  }

  /** In bytes a second; 0 for no limit. What is left out stays. */
  interface RateLimits {
    download?: number | undefined
    upload?: number | undefined
  }

  /** Limits that any number of native wires share. */
  interface RateGroup {
    /** Bytes a second, 0 for no limit. */
    readonly download: number
    /** Bytes a second, 0 for no limit. */
    readonly upload: number
    setLimits(limits: RateLimits): void
  }

  interface RateGroupConstructor {
    new (limits?: RateLimits | null): RateGroup
    readonly prototype: RateGroup
  }

  /**
   * Answers a request of the peer with a block of the requested length. Any other answer is dropped. The block must stay
   * unchanged until it is sent, as of `piece()`.
   */
  type Respond = (error: Error | null | undefined, block?: Uint8Array) => void

  /** An element of `wire.requests` or `wire.peerRequests`. */
  interface Request {
    /** Piece index. */
    readonly piece: number
    /** Byte offset in the piece. */
    readonly offset: number
    /** Bytes requested. */
    readonly length: number
    readonly callback: (error: Error | null, block?: any) => void
    /** The running timer, which only the oldest request has. */
    readonly timeout: NodeJS.Timeout | null
  }

  /** `ERR_PWP_...`; see the tables in docs/errors.md. */
  type ErrorCode =
    | 'ERR_PWP_BITFIELD_LATE'
    | 'ERR_PWP_BITFIELD_LENGTH'
    | 'ERR_PWP_BITFIELD_SPARE_BITS'
    | 'ERR_PWP_ENCRYPTION_KEY'
    | 'ERR_PWP_ENCRYPTION_METHOD_NOT_OFFERED'
    | 'ERR_PWP_ENCRYPTION_NO_SHARED_METHOD'
    | 'ERR_PWP_ENCRYPTION_PAD_TOO_LONG'
    | 'ERR_PWP_ENCRYPTION_PAYLOAD_TOO_LONG'
    | 'ERR_PWP_ENCRYPTION_PLAIN'
    | 'ERR_PWP_ENCRYPTION_REFUSED'
    | 'ERR_PWP_ENCRYPTION_SYNC'
    | 'ERR_PWP_ENCRYPTION_TIMEOUT'
    | 'ERR_PWP_ENCRYPTION_TOO_LONG'
    | 'ERR_PWP_ENCRYPTION_TOO_MANY'
    | 'ERR_PWP_ENCRYPTION_TOO_MANY_OF_ADDRESS'
    | 'ERR_PWP_ENCRYPTION_TRUNCATED'
    | 'ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT'
    | 'ERR_PWP_ENCRYPTION_VERIFICATION'
    | 'ERR_PWP_EXTENDED_HANDSHAKE'
    | 'ERR_PWP_HANDSHAKE'
    | 'ERR_PWP_HANDSHAKE_TIMEOUT'
    | 'ERR_PWP_HASHES'
    | 'ERR_PWP_HASH_REQUEST'
    | 'ERR_PWP_INACTIVITY_TIMEOUT'
    | 'ERR_PWP_INFO_HASH'
    | 'ERR_PWP_INTERNAL'
    | 'ERR_PWP_MEMORY_CHANGED'
    | 'ERR_PWP_MESSAGE_LENGTH'
    | 'ERR_PWP_MESSAGE_TOO_LONG'
    | 'ERR_PWP_METADATA_CLOSED'
    | 'ERR_PWP_METADATA_HASH'
    | 'ERR_PWP_METADATA_INFO_HASH'
    | 'ERR_PWP_METADATA_MISSED'
    | 'ERR_PWP_METADATA_MISSING'
    | 'ERR_PWP_METADATA_OFFENCES'
    | 'ERR_PWP_METADATA_REJECTED'
    | 'ERR_PWP_METADATA_SIZE'
    | 'ERR_PWP_METADATA_TIMEOUT'
    | 'ERR_PWP_METADATA_UNANSWERED'
    | 'ERR_PWP_METADATA_UNSUPPORTED'
    | 'ERR_PWP_NOT_AGREED'
    | 'ERR_PWP_PEER_ID'
    | 'ERR_PWP_PIECE_HASH'
    | 'ERR_PWP_PIECE_INDEX'
    | 'ERR_PWP_REQUEST_FLOOD'
    | 'ERR_PWP_REQUEST_LENGTH'
    | 'ERR_PWP_TOO_MANY_HANDSHAKES'
    | 'ERR_PWP_TOO_MANY_HANDSHAKES_OF_ADDRESS'
    | 'ERR_PWP_TRUNCATED'
    | 'ERR_PWP_UNSOLICITED_BLOCK'
    | 'ERR_PWP_UNSOLICITED_HASHES'
    | 'ERR_PWP_UNSOLICITED_HASH_REJECT'
    | 'ERR_PWP_UNSOLICITED_REJECT'

  /** `code` of an error that a single request gets: see docs/errors.md. */
  type RequestErrorCode = 'ERR_PWP_PIECE_LOST' | 'ERR_PWP_REQUEST_TIMEOUT'

  /** `code` of an error that ends the fetch of a piece: see docs/errors.md. */
  type FetchPieceErrorCode =
    | 'ABORT_ERR'
    | 'ERR_PWP_CLOSED'
    | 'ERR_PWP_MEMORY_CHANGED'
    | 'ERR_PWP_PIECE_CHOKED'
    | 'ERR_PWP_PIECE_HASH'
    | 'ERR_PWP_PIECE_LOST'
    | 'ERR_PWP_PIECE_MISSING'
    | 'ERR_PWP_PIECE_REJECTED'
    | 'ERR_PWP_PIECE_TIMEOUT'
    | 'ERR_PWP_PIECE_TWICE'

  /** `code` of an error that a method throws: see docs/errors.md. */
  type CallErrorCode =
    | 'ERR_PWP_CLOSED'
    | 'ERR_PWP_COPIES'
    | 'ERR_PWP_HANDSHAKE_SENT'
    | 'ERR_PWP_HASHES_REJECTED'
    | 'ERR_PWP_HASHES_TIMEOUT'
    | 'ERR_PWP_METADATA_DESTROYED'
    | 'ERR_PWP_METADATA_IN_USE'
    | 'ERR_PWP_NATIVE'
    | 'ERR_PWP_NOT_PIPED'
    | 'ERR_PWP_NO_FAST'
    | 'ERR_PWP_NO_NATIVE'
    | 'ERR_PWP_NO_V2'
    | 'ERR_PWP_SOURCE_CLOSED'
    | 'ERR_PWP_TOO_MANY_HASH_REQUESTS'
    | 'ERR_PWP_UNFLUSHED'

  /** Numbers of an error; docs/errors.md says which ones a code has. */
  interface ErrorFields {
    /** Message id. */
    readonly id?: number
    /** Piece index. */
    readonly piece?: number
    /** Byte offset in the piece. */
    readonly offset?: number
    /** Bytes that the peer sent, announced or requested. */
    readonly length?: number
    /** The limit that was exceeded, or the right value. */
    readonly limit?: number
    /** Layer of hashes. */
    readonly baseLayer?: number
    /** The first of them in that layer. */
    readonly index?: number
    /** Methods of encryption, as bits: those that we accept, that were offered, that was selected. */
    readonly accepted?: number
    readonly offered?: number
    readonly selected?: number
  }

  /** The peer has broken the protocol or a limit. */
  interface ProtocolError extends Error, ErrorFields {
    readonly name: 'ProtocolError'
    /** Stable: never reused for another meaning. */
    readonly code: ErrorCode
    /** The newest frames, oldest first, with the option `transcript`. */
    readonly transcript?: Frame[]
  }

  interface ProtocolErrorConstructor {
    new (code: ErrorCode, message: string, fields?: ErrorFields): ProtocolError
    readonly prototype: ProtocolError
  }

  type MessageKind =
    | 'handshake'
    | 'keepAlive'
    | 'choke'
    | 'unchoke'
    | 'interested'
    | 'notInterested'
    | 'have'
    | 'bitfield'
    | 'request'
    | 'piece'
    | 'cancel'
    | 'port'
    | 'suggest'
    | 'haveAll'
    | 'haveNone'
    | 'reject'
    | 'allowedFast'
    | 'extended'
    | 'hashRequest'
    | 'hashes'
    | 'hashReject'
    | 'unknown'

  /** The head of a message: in transcripts, and on the diagnostics channels. */
  interface Frame {
    /** Ms since 1970. */
    time: number
    direction: 'received' | 'sent'
    kind: MessageKind
    /** Bytes of the whole message. */
    bytes: number
    /** Those of these fields that its kind has. */
    fields: { piece?: number; offset?: number; length?: number; port?: number; id?: number }
  }

  /** The traffic of a wire in one direction. */
  interface Traffic {
    messages: Record<MessageKind, number>
    /** All bytes, those of blocks included. */
    bytes: number
    /** Bytes of blocks. */
    blockBytes: number
    /** All other bytes. */
    protocolBytes: number
  }

  /** The result of `wire.stats()`. */
  interface Stats {
    received: Traffic
    sent: Traffic
    /** Requests of the peer that were received while we choked it. */
    ignoredRequests: number
    /** Requests of the peer that were received while `maxPeerRequests` were unanswered. */
    refusedRequests: number
    /**
     * Requests of the peer for no bytes or for a piece after the last, also counted in `violations`; and for what
     * `serve()` does not have.
     */
    unanswerableRequests: number
    /** Violations of the peer, tolerated or not. */
    violations: number
    /** Requests of the peer that are currently held back. */
    heldRequests: number
    /** Our answers that did not fit their request: of another length, or not a block. */
    droppedAnswers: number
    /** Our requests that are currently open. */
    requests: number
    /** Requests of the peer that were delivered, or are served, and are currently unanswered. */
    peerRequests: number
    /** Bytes of output that are currently queued. */
    bufferedAmount: number
    /** Ms from a request to its block; null before the first sample. */
    requestLatency: { samples: number; last: number; average: number } | null
  }

  /** The events of a wire, in addition to those of a Duplex, with their arguments. */
  interface Events {
    /** The wire is connected. Only of `connect()`, and of `attach()` for a socket that connects. */
    connect: []
    /** It is settled what is encrypted. Precedes all that the peer sends. Only with the option `encryption`. */
    encryption: [agreement: encryption.Agreement]
    /** What the peer wants: 20 bytes, as soon as these are there. Precedes `'handshake'`. */
    'info-hash': [infoHash: Buffer]
    /** The peer's handshake: 20 bytes each. */
    handshake: [infoHash: Buffer, peerId: Buffer, extensions: Extensions]
    /**
     * The peer chokes us. Open requests fail after this event; with the fast extension each stays open
     * until the peer answers or rejects it.
     */
    choke: []
    /** The peer answers requests from now on. */
    unchoke: []
    /** The peer is interested in us. */
    interested: []
    /** The peer is no longer interested in us. */
    uninterested: []
    /** The peer has one more piece. */
    have: [piece: number]
    /** All pieces of the peer, the high bit first. */
    bitfield: [bitfield: Buffer]
    /** The peer requests a block. */
    request: [piece: number, offset: number, length: number, respond: Respond]
    /** A block was received, requested or not. */
    piece: [piece: number, offset: number, block: Buffer]
    /** The peer cancelled a request. */
    cancel: [piece: number, offset: number, length: number]
    /** UDP port of the peer's DHT node. */
    port: [port: number]
    /** The peer has all pieces. This and the next four: with the fast extension. */
    'have-all': []
    /** The peer has no piece. */
    'have-none': []
    /** The peer suggests a piece to download. */
    suggest: [piece: number]
    /** The peer will not answer this request. The callback of the request has been called before. */
    reject: [piece: number, offset: number, length: number]
    /** The peer answers requests for this piece even while it chokes us. */
    'allowed-fast': [piece: number]
    /** The peer requests hashes; without a listener the wire rejects. This and the next two: version 2. */
    'hash-request': [request: PeerHashRange, respond: RespondHashes]
    /** The peer has sent hashes, requested or not; `isVerified` if they were requested and are right. */
    hashes: [request: PeerHashRange, hashes: Buffer, isVerified: boolean]
    /** The peer will not answer a request for hashes. */
    'hash-reject': [request: PeerHashRange]
    /** A message of the extension protocol; id 0 is its handshake. */
    extended: [id: number, message: Buffer]
    /** An extended handshake, decoded and merged; after `'extended'`. Only where extensions are used. */
    'extended-handshake': [handshake: ExtendedHandshake]
    /** The peer sent a keep-alive. */
    'keep-alive': []
    /** A whole message with an id that the wire does not know, id byte included. */
    unknownmessage: [message: Buffer]
    /** Bytes of a block that is about to be sent; with `serve()` a sum of several. */
    upload: [bytes: number]
    /** Bytes of a block that was received. */
    download: [bytes: number]
    /** The oldest request has timed out; its callback was called just before. */
    timeout: []
    /** Emitted once, synchronously by `destroy()`. */
    close: []
    /** Emitted only if someone listens; otherwise the wire closes quietly. See `wire.error`. */
    error: [error: Error]
    data: [chunk: any]
    drain: []
    end: []
    finish: []
    pause: []
    readable: []
    resume: []
    pipe: [source: NodeJS.ReadableStream]
    unpipe: [source: NodeJS.ReadableStream]
  }

  /** A name that is not in `Events`, for events of the user's own. */
  type Other<E> = E extends keyof Events ? never : E

  type Listener<E extends keyof Events> = (...args: Events[E]) => void

  /** A wire, under the name of its constructor. */
  type Wire = Instance

  interface Instance extends Duplex {
    /** Whether we choke the peer. Starts true. */
    amChoking: boolean
    /** Whether we are interested in the peer. Starts false. */
    amInterested: boolean
    /** Whether the peer chokes us. Starts true. */
    peerChoking: boolean
    /** Whether the peer is interested in us. Starts false. */
    peerInterested: boolean
    /** `peerPieces[i]` is true if the peer has piece i. */
    peerPieces: boolean[]
    /** The extensions that the peer's handshake announced; empty before. */
    peerExtensions: Partial<Extensions>
    /** The eight reserved bytes of the peer's handshake; null before. */
    peerReserved: Buffer | null
    /** `host:port` of native and attached wires; null for others, whose users may set it. */
    peerAddress: string | null
    /** Who reads and writes the connection: a thread of the package, or what the wire is piped to. */
    readonly transport: 'native' | 'stream'
    /** Whether it is not connected yet. */
    readonly connecting: boolean
    /** As of net.Socket; undefined where the wire does not know its socket. */
    readonly localAddress: string | undefined
    readonly localPort: number | undefined
    readonly localFamily: string | undefined
    readonly remoteAddress: string | undefined
    readonly remotePort: number | undefined
    readonly remoteFamily: string | undefined
    /** Bytes of blocks sent. */
    uploaded: number
    /** Bytes of blocks received. */
    downloaded: number
    /** Bytes of blocks sent per second; counts `bytes`, an integer from 0 to 2^53 - 1, if given. */
    uploadSpeed: (bytes?: number) => number
    /** Bytes of blocks received per second; counts `bytes` in the same way. */
    downloadSpeed: (bytes?: number) => number
    /** Our open requests, the oldest first. */
    readonly requests: Request[]
    /** Unanswered requests of the peer, the oldest first. */
    readonly peerRequests: Request[]
    /** Whether both handshakes announce the fast extension (BEP 6). */
    readonly hasFast: boolean
    /** Whether both handshakes have chosen version 2 of the torrent (BEP 52). */
    readonly isV2: boolean
    /** Pieces that we serve even while we choke, as `allowedFast()` has announced: a copy. */
    readonly allowedFastSet: number[]
    /** Pieces that the peer serves even while it chokes us, at most the first 100: a copy. */
    readonly peerAllowedFastSet: number[]
    /** Bytes of output that are queued here, or in the stream that the wire is piped into. */
    readonly bufferedAmount: number
    /**
     * What our extended handshake says besides `m` and `reqq`: to be added to, or assigned. Null, as the three
     * below, until extensions are used.
     */
    extendedHandshake: { [key: string]: any } | null
    /** Our extensions: names by id. */
    readonly extendedMapping: { readonly [id: number]: string } | null
    /** Extensions of the peer: ids by name. */
    readonly peerExtendedMapping: { readonly [name: string]: number } | null
    /** Null before the first extended handshake of the peer. */
    readonly peerExtendedHandshake: ExtendedHandshake | null
    /** What is encrypted; null until it is settled, and without the option `encryption`. */
    readonly encryption: encryption.Agreement | null
    /** Why the wire was closed, if there is a reason; null otherwise. */
    readonly error: Error | null

    /**
     * Sends a handshake.
     *
     * @param infoHash 20 bytes, or a string of exactly 40 hex digits; of version 2 also all 32 or 64
     * @param peerId 20 bytes, or a string of 20 bytes in UTF-8
     * @param extensions what we support; of `wire.peerExtensions` itself only `dht` counts
     * @throws Error `infoHash and peerId MUST have length 20`
     * @throws Error `ERR_PWP_HANDSHAKE_SENT` for a second handshake, with `policy: 'strict'`
     */
    handshake(
      infoHash: Uint8Array | string,
      peerId: Uint8Array | string,
      extensions?: HandshakeOptions | null
    ): void
    /**
     * Stops answering requests; those that wait are dropped, and with the fast extension rejected, except
     * those for pieces of `allowedFastSet`. Sends nothing unless this is a change.
     */
    choke(): void
    /** Starts answering requests. Sends nothing unless this is a change. */
    unchoke(): void
    /** Announces that we want pieces from the peer. Sends nothing unless this is a change. */
    interested(): void
    /** Announces that we want no pieces from the peer. Sends nothing unless this is a change. */
    uninterested(): void
    /** Announces a piece that we have. */
    have(piece: number): void
    /** Announces all pieces that we have, the high bit first. */
    bitfield(bitfield: Uint8Array | { buffer: Uint8Array }): void
    /**
     * Announces that we have all pieces, in place of a bitfield (BEP 6).
     *
     * @throws Error `ERR_PWP_NO_FAST` unless the fast extension is agreed on, as the next four do
     */
    haveAll(): void
    /** Announces that we have no piece, in place of a bitfield. */
    haveNone(): void
    /** Suggests a piece to download. */
    suggest(piece: number): void
    /** Serves a piece from now on even while we choke, and tells the peer. */
    allowedFast(piece: number): void
    /** Rejects the oldest request of the peer for this block; does nothing if none waits. */
    reject(piece: number, offset: number, length: number): void
    /**
     * Sets the number of pieces of the torrent once it is known, as the option `pieces` does from the
     * start. What the peer has announced must fit, or the wire closes.
     *
     * @throws RangeError if another number is known
     */
    setPieces(count: number): void
    /**
     * Answers the peer's requests from this source, off the event loop: no `'request'` is emitted for them.
     *
     * @param source or the options of one; null to serve no longer
     * @throws Error `ERR_PWP_NO_NATIVE` for a wire without a native socket
     */
    serve(source: PieceSource | PieceSourceOptions | null): void
    /**
     * Requests a block.
     *
     * @param piece piece index
     * @param offset byte offset in the piece
     * @param length bytes, usually 16 KiB
     * @param callback called exactly once; at once if the wire is closed, or if the peer chokes us and
     *   does not allow the piece
     */
    request(piece: number, offset: number, length: number, callback?: BlockCallback | null): void
    /**
     * Requests a block, with what ends this request early: the peer is then told by a cancel.
     *
     * @param options for this request alone
     * @param callback called exactly once; at once also if the signal is aborted already
     */
    request(
      piece: number,
      offset: number,
      length: number,
      options: RequestOptions | null | undefined,
      callback?: BlockCallback | null
    ): void
    /**
     * Requests a block, as `request()` does, and gives it as a promise, which rejects with the error that a
     * callback would get.
     *
     * @throws TypeError or RangeError, at once, for a wrong argument
     */
    requestBlock(
      piece: number,
      offset: number,
      length: number,
      options?: RequestOptions | null
    ): Promise<Buffer>
    /**
     * Fetches a piece: its blocks are requested, put together and checked; with a native socket off the event
     * loop. Rejects with a `FetchPieceError`.
     *
     * @param index of the piece
     * @throws TypeError or RangeError, at once, for a wrong argument
     */
    fetchPiece(index: number, options: FetchPieceOptions): Promise<Buffer>
    /**
     * Limits how fast this wire is read and written.
     *
     * @throws Error `ERR_PWP_NO_NATIVE` if it has no native socket
     */
    setRateLimits(limits: RateLimits): void
    /**
     * Shares limits with other wires.
     *
     * @param group null for none
     * @throws Error `ERR_PWP_NO_NATIVE` if it has no native socket
     */
    setRateGroup(group: RateGroup | null): void
    /** Cancels the oldest request for this block; its callback gets `request was cancelled`. */
    cancel(piece: number, offset: number, length: number): void
    /**
     * Sends a block, which answers a request for it if one is open. Usually `respond` does this.
     *
     * @param block must stay unchanged until it is sent: until `await wire.flushed()` if it is in memory of
     * `pwp.allocate()`. Other memory is copied at once by a native wire.
     */
    piece(piece: number, offset: number, block: Uint8Array): void
    /** Sends the UDP port of our DHT node. */
    port(port: number): void
    /**
     * Uses an extension, and announces it to the peer. Its instance is also the property `wire[name]`.
     *
     * @param Extension a class with a `name` on its prototype
     * @throws Error if it has no name, or that of a member of the wire
     */
    use<E extends Extension>(Extension: new (wire: this) => E): E
    /**
     * Sends a message of the extension protocol: bytes as they are, anything else bencoded.
     *
     * @param id of the peer; 0 is the extended handshake, to which ours is added where extensions are used.
     *   There also the name of an extension of the peer
     * @param message bytes; or strings, safe integers, BigInts, and arrays and plain objects of
     *   these and of bytes
     * @throws TypeError that names the place of any other value, such as `message.m.ut_pex`
     * @throws Error `Unrecognized extension: ...` if the peer has not announced the name
     */
    extended(
      id: number | string,
      message: Uint8Array | object | string | number | bigint | null
    ): void
    /**
     * Fetches the info dictionary of the torrent from the peer (BEP 9): it has the info hash of the wire, ours where
     * we have sent one. Waits for the handshakes.
     */
    metadata(options?: WireMetadataOptions | null): Promise<Buffer>
    /**
     * Serves the info dictionary of the torrent to the peer (BEP 9), and announces its size.
     *
     * @param info must not change
     * @throws RangeError if it does not have the info hash of the wire
     */
    serveMetadata(info: Uint8Array): void
    /**
     * Requests a part of the hash tree of a file (BEP 52), also while the peer chokes. Resolves to the hashes
     * of the base layer, 32 bytes each, which lead to the root.
     *
     * @throws RangeError if no tree can answer the request
     */
    requestHashes(request: WantedHashes, options?: HashRequestOptions | null): Promise<Buffer>
    /** Sends a keep-alive every 60 s until the wire ends; `false` stops it. */
    setKeepAlive(enable?: boolean): void
    /** Keeps the process alive while the connection is open, as it does from the start. */
    ref(): this
    /** Lets the process end although the connection is open. */
    unref(): this
    /**
     * Says when all output has left that was sent before, as `process.exit()` does not wait for it. Rejects with
     * `ERR_PWP_UNFLUSHED` if it is lost.
     */
    flushed(): Promise<void>
    /** Returns the counters of the wire, and how much is queued; also after its end. */
    stats(): Stats
    /** Limits how long the oldest request may wait, in ms; 0 for no limit. */
    setTimeout(ms: number, listener?: () => void): void
    /**
     * Closes the wire. `'close'` is emitted before this returns; callbacks of open requests
     * follow in the next tick. May be called again.
     */
    destroy(error?: Error | null): this

    addListener<E extends keyof Events>(event: E, listener: Listener<E>): this
    addListener<E extends string | symbol>(
      event: Other<E>,
      listener: (...args: any[]) => void
    ): this
    emit<E extends keyof Events>(event: E, ...args: Events[E]): boolean
    emit<E extends string | symbol>(event: Other<E>, ...args: any[]): boolean
    off<E extends keyof Events>(event: E, listener: Listener<E>): this
    off<E extends string | symbol>(event: Other<E>, listener: (...args: any[]) => void): this
    on<E extends keyof Events>(event: E, listener: Listener<E>): this
    on<E extends string | symbol>(event: Other<E>, listener: (...args: any[]) => void): this
    once<E extends keyof Events>(event: E, listener: Listener<E>): this
    once<E extends string | symbol>(event: Other<E>, listener: (...args: any[]) => void): this
    prependListener<E extends keyof Events>(event: E, listener: Listener<E>): this
    prependListener<E extends string | symbol>(
      event: Other<E>,
      listener: (...args: any[]) => void
    ): this
    prependOnceListener<E extends keyof Events>(event: E, listener: Listener<E>): this
    prependOnceListener<E extends string | symbol>(
      event: Other<E>,
      listener: (...args: any[]) => void
    ): this
    removeListener<E extends keyof Events>(event: E, listener: Listener<E>): this
    removeListener<E extends string | symbol>(
      event: Other<E>,
      listener: (...args: any[]) => void
    ): this
  }
}

export = Wire
