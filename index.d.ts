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
  }

  interface Options {
    /**
     * Seconds over which `uploadSpeed()` and `downloadSpeed()` average, from 1 to 16,383, in
     * quarters; others are rounded. Default 5, which 0 stands for.
     */
    speed?: number | undefined
    /** Longest message of the peer in bytes; 0 for no limit. Default 1 MiB. */
    maxMessageLength?: number | undefined
    /** Longest block that the peer may request, in bytes. Default 128 KiB. */
    maxRequestLength?: number | undefined
    /** Most requests of the peer that wait for an answer; more are ignored and counted. Default 2,000. */
    maxPeerRequests?: number | undefined
    /**
     * Pieces of the torrent, if known: piece indices and bitfields must then fit exactly.
     * Default 0: unknown, up to 4,194,304 pieces.
     */
    pieces?: number | undefined
    /**
     * Bytes of output that may wait, and of requests that wait for an answer, each chunk and each
     * request with 192 more for what it costs besides; above, further requests of the peer are held
     * back. Default 1 MiB.
     */
    uploadBacklog?: number | undefined
    /** What becomes of violations that do no harm. Default `'lenient'`: they are counted. */
    policy?: 'lenient' | 'strict' | undefined
    /** Ms within which the peer's handshake must come. Default 0: no limit. */
    handshakeTimeout?: number | undefined
    /** Ms that the peer may send nothing. Default 0: no limit. */
    inactivityTimeout?: number | undefined
    /** Copies what would be a view of its chunk, for blocks that are kept for long. */
    copyBlocks?: boolean | undefined
    /** Frames that are kept for the error that closes the wire. Default 0. */
    transcript?: number | undefined
  }

  /** What a handshake announces. */
  interface Extensions {
    /** The DHT (BEP 5). */
    dht: boolean
    /** The extension protocol (BEP 10). */
    extended: boolean
  }

  /** `error` is null, or the reason why there is no block. */
  type BlockCallback = (error: Error | null, block: Buffer) => void

  /** Answers a request of the peer: with a block of the length asked for. Another answer is dropped. */
  type Respond = (error: Error | null | undefined, block?: Uint8Array) => void

  /** An element of `wire.requests` or `wire.peerRequests`. */
  interface Request {
    /** Piece index. */
    readonly piece: number
    /** Byte offset in the piece. */
    readonly offset: number
    /** Bytes asked for. */
    readonly length: number
    readonly callback: (error: Error | null, block?: any) => void
    /** Timer of the oldest request. */
    readonly timeout: NodeJS.Timeout | null
  }

  /** `ERR_PWP_...`; see the tables in docs/errors.md. */
  type ErrorCode =
    | 'ERR_PWP_BITFIELD_LATE'
    | 'ERR_PWP_BITFIELD_LENGTH'
    | 'ERR_PWP_BITFIELD_SPARE_BITS'
    | 'ERR_PWP_HANDSHAKE'
    | 'ERR_PWP_HANDSHAKE_TIMEOUT'
    | 'ERR_PWP_INACTIVITY_TIMEOUT'
    | 'ERR_PWP_INTERNAL'
    | 'ERR_PWP_MEMORY_CHANGED'
    | 'ERR_PWP_MESSAGE_LENGTH'
    | 'ERR_PWP_MESSAGE_TOO_LONG'
    | 'ERR_PWP_PIECE_INDEX'
    | 'ERR_PWP_REQUEST_LENGTH'
    | 'ERR_PWP_TRUNCATED'
    | 'ERR_PWP_UNSOLICITED_BLOCK'

  /** Numbers of an error; which ones a code has, docs/errors.md tells. */
  interface ErrorFields {
    /** Message id. */
    readonly id?: number
    /** Piece index. */
    readonly piece?: number
    /** Byte offset in the piece. */
    readonly offset?: number
    /** Bytes that the peer sent, announced or asked for. */
    readonly length?: number
    /** The limit that it broke, or what was right. */
    readonly limit?: number
  }

  /** The peer broke the protocol or a limit. */
  interface ProtocolError extends Error, ErrorFields {
    readonly name: 'ProtocolError'
    /** Stable. */
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
    | 'extended'
    | 'unknown'

  /** The head of a message: in transcripts, and on the diagnostics channels. */
  interface Frame {
    /** Ms since 1970. */
    time: number
    direction: 'received' | 'sent'
    kind: MessageKind
    /** Bytes of the whole message. */
    bytes: number
    /** What its kind has of these. */
    fields: { piece?: number; offset?: number; length?: number; port?: number; id?: number }
  }

  /** What one direction of a wire has carried. */
  interface Traffic {
    messages: Record<MessageKind, number>
    /** All bytes. */
    bytes: number
    /** Those of blocks. */
    blockBytes: number
    /** The others. */
    protocolBytes: number
  }

  /** What `wire.stats()` gives. */
  interface Stats {
    received: Traffic
    sent: Traffic
    /** Requests of the peer that came while we choked it. */
    ignoredRequests: number
    /** Requests of the peer that came while `maxPeerRequests` waited. */
    refusedRequests: number
    /** Of the peer, for no bytes or for a piece behind the last; `violations` has them too. */
    unanswerableRequests: number
    /** What the peer did against the rules, tolerated or not. */
    violations: number
    /** Requests of the peer that are held back now. */
    heldRequests: number
    /** Answers of ours that did not fit the request: of another length, or no block. */
    droppedAnswers: number
    /** Open requests of ours now. */
    requests: number
    /** Requests of the peer that were told and wait for an answer now. */
    peerRequests: number
    /** Bytes of output that wait now. */
    bufferedAmount: number
    /** Ms from a request to its block; null before the first sample. */
    requestLatency: { samples: number; last: number; average: number } | null
  }

  /** The events of a wire besides those of a Duplex, with their arguments. */
  interface Events {
    /** The peer's handshake: 20 bytes each. */
    handshake: [infoHash: Buffer, peerId: Buffer, extensions: Extensions]
    /** The peer chokes us. Open requests fail next. */
    choke: []
    /** The peer answers requests from now on. */
    unchoke: []
    /** The peer is interested in us. */
    interested: []
    /** The peer is no longer interested in us. */
    uninterested: []
    /** The peer has one more piece. */
    have: [piece: number]
    /** All pieces that the peer has, the high bit first. */
    bitfield: [bitfield: Buffer]
    /** The peer asks for a block. */
    request: [piece: number, offset: number, length: number, respond: Respond]
    /** A block came, asked for or not. */
    piece: [piece: number, offset: number, block: Buffer]
    /** The peer withdrew a request. */
    cancel: [piece: number, offset: number, length: number]
    /** UDP port of the peer's DHT node. */
    port: [port: number]
    /** A message of the extension protocol; id 0 is its handshake. */
    extended: [id: number, message: Buffer]
    /** The peer keeps the connection open. */
    'keep-alive': []
    /** A message with an id that the wire does not know, whole, with its id byte. */
    unknownmessage: [message: Buffer]
    /** Bytes of a block that is about to be sent. */
    upload: [bytes: number]
    /** Bytes of a block that came. */
    download: [bytes: number]
    /** The oldest request has waited for too long; its callback was called just before. */
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

  /** A name that is none of `Events`, for events of the user's own. */
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
    /** What the peer's handshake announced; empty before. */
    peerExtensions: Partial<Extensions>
    /** The eight reserved bytes of the peer's handshake; null before. */
    peerReserved: Buffer | null
    /** For the user to set; the wire does not know its socket. */
    peerAddress: string | null
    /** Bytes of blocks sent. */
    uploaded: number
    /** Bytes of blocks received. */
    downloaded: number
    /** Bytes of blocks sent per second; counts `bytes`, an integer from 0 to 2^53 - 1, if given. */
    uploadSpeed: (bytes?: number) => number
    /** Bytes of blocks received per second; counts `bytes` likewise. */
    downloadSpeed: (bytes?: number) => number
    /** Our open requests, the oldest first. */
    readonly requests: Request[]
    /** Requests of the peer that wait for an answer, the oldest first. */
    readonly peerRequests: Request[]
    /** Bytes of output that wait to be read, or to be taken by the stream we are piped into. */
    readonly bufferedAmount: number
    /** Why the wire was closed, if there is a reason; null otherwise. */
    readonly error: Error | null

    /**
     * Sends a handshake.
     *
     * @param infoHash 20 bytes, or a string of exactly 40 hex digits
     * @param peerId 20 bytes, or a string of 20 bytes in UTF-8
     * @param extensions what we support besides the extension protocol
     * @throws Error `infoHash and peerId MUST have length 20`
     */
    handshake(
      infoHash: Uint8Array | string,
      peerId: Uint8Array | string,
      extensions?: { dht?: boolean | undefined } | null
    ): void
    /** Stops answering requests; those that wait are forgotten. Sends only a change. */
    choke(): void
    /** Starts answering requests. Sends only a change. */
    unchoke(): void
    /** Tells the peer that we want pieces. Sends only a change. */
    interested(): void
    /** Tells the peer that we want nothing. Sends only a change. */
    uninterested(): void
    /** Tells the peer that we have a piece. */
    have(piece: number): void
    /** Tells the peer all pieces that we have, the high bit first. */
    bitfield(bitfield: Uint8Array | { buffer: Uint8Array }): void
    /**
     * Asks for a block.
     *
     * @param piece piece index
     * @param offset byte offset in the piece
     * @param length bytes, usually 16 KiB
     * @param callback called exactly once; at once if the peer chokes us or the wire is closed
     */
    request(piece: number, offset: number, length: number, callback?: BlockCallback | null): void
    /** Withdraws the oldest such request; its callback gets `request was cancelled`. */
    cancel(piece: number, offset: number, length: number): void
    /** Sends a block, which answers such a request if one waits. Usually `respond` does it. */
    piece(piece: number, offset: number, block: Uint8Array): void
    /** Sends the UDP port of our DHT node. */
    port(port: number): void
    /**
     * Sends a message of the extension protocol: bytes as they are, anything else bencoded.
     *
     * @param message bytes; or strings, safe integers, BigInts, and arrays and plain objects of
     *   these and of bytes
     * @throws TypeError that names the place of anything else, as `message.m.ut_pex`
     */
    extended(id: number, message: Uint8Array | object | string | number | bigint | null): void
    /** Sends a keep-alive every 60 s until the wire ends; `false` stops it. */
    setKeepAlive(enable?: boolean): void
    /** What the wire has counted, and what waits; also after its end. */
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
