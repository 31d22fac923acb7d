// A wire under random treatment, with a model of what must come of it.
import { expectEvents } from '../../__test__/helpers/expected-events.mjs'
import { describeTold, MESSAGE_EVENTS } from '../../__test__/helpers/hostile-runner.mjs'
import { cut, encodeMessage } from '../../__test__/helpers/messages.mjs'
import { Reader } from './reader.mjs'

const CALLBACK_ERRORS = new Set([
  'peer is choking',
  'request has timed out',
  'request was cancelled',
  'wire is closed'
])

const MAX_PEER_REQUESTS = 2000

export class Subject {
  asked = [] // requests of ours, each with the calls of its callback
  accepted = [] // requests of the peer that were told
  isEnded = false // by us
  #scene
  #input
  #chunks // that are still to come, the last one first
  #told = []
  #open = [] // of those asked, oldest first
  #waiting = [] // of those accepted, oldest first
  #uploads = [] // frames that follow the 'upload' of their block
  #sent = [] // what the output must be
  #unpaced = 0 // bytes of it that no limit holds back
  #backlog
  #ends = { finish: 0, end: 0, close: 0, error: 0 }
  #failure = null
  #peer = { choking: true, interested: false, downloaded: 0 }

  /**
   * @param {import('./scene.mjs').Scene} scene
   * @param {Function} createWire
   * @param {import('../../__test__/helpers/hostile-inputs.mjs').HostileInput} input
   * @param {{name: string, random: object, uploadBacklog: number}} settings
   */
  constructor(scene, createWire, input, { name, random, uploadBacklog }) {
    this.#scene = scene
    this.#input = input
    this.#backlog = uploadBacklog
    this.#chunks = cut(input.bytes, input.sizes).toReversed()
    this.name = name
    this.wire = createWire({ uploadBacklog })
    this.#listen()
    this.reader = new Reader(this, random)
  }

  // What a user does

  /** A call whose frame must come out, unless the wire has ended. */
  send(message, call) {
    this.#expect(encodeMessage(message))
    call()
  }

  request(block) {
    const { wire } = this
    const request = { ...block, calls: 0, onSettled: () => {} }
    request.callback = (error, bytes) => this.#onSettled(request, error, bytes)
    request.isAccepted = this.#isSending && !wire.peerChoking
    this.asked.push(request)
    if (request.isAccepted) {
      this.#open.push(request)
      this.#expect(encodeMessage({ type: 'request', ...block }))
    }
    wire.request(block.piece, block.offset, block.length, request.callback)
  }

  /** What the callback of the withdrawn request sends goes before the message. */
  cancel(block) {
    const withdrawn = this.#open.find((request) => isSame(request, block))
    const expect = () => this.#expect(encodeMessage({ type: 'cancel', ...block }))
    if (withdrawn) withdrawn.onSettled = expect
    else expect()
    this.wire.cancel(block.piece, block.offset, block.length)
  }

  choke() {
    if (this.wire.amChoking) return this.wire.choke()
    this.#waiting.length = 0
    this.send({ type: 'choke' }, () => this.wire.choke())
  }

  /** What listeners of `'upload'` send goes before the block. */
  piece(piece, offset, block, bytes) {
    // It is the answer of the oldest request that wants it.
    const answered = { piece, offset, length: bytes.length }
    remove(this.#waiting, (request) => isSame(request, answered))
    this.#uploads.push(encodeMessage({ type: 'piece', piece, offset, block }))
    this.wire.piece(piece, offset, bytes)
  }

  answer({ piece, offset, respond }, block, bytes) {
    if (remove(this.#waiting, (request) => request.respond === respond)) {
      this.#uploads.push(encodeMessage({ type: 'piece', piece, offset, block }))
    }
    respond(null, bytes)
  }

  refuse({ respond }) {
    remove(this.#waiting, (request) => request.respond === respond)
    respond(new Error('no such block'))
  }

  /** The next chunk of the peer, by whatever `write` makes of it. */
  receive(write) {
    if (this.isEnded || this.#chunks.length === 0) return
    write(this.#chunks.pop())
  }

  /** @param {Buffer} [chunk] the last one of the peer */
  end(chunk) {
    this.isEnded = true
    this.wire.end(chunk)
  }

  destroy(error) {
    const { wire } = this
    this.isEnded = true
    if (wire.destroyed) return void wire.destroy(error)
    this.#failure = error ?? null
    wire.destroy(error)
    if (!wire.destroyed || this.#ends.close !== 1) this.#problem("destroy() without 'close'")
  }

  /** A call with a wrong argument must throw, and change nothing. */
  misuse(call) {
    const before = this.#describe()
    try {
      call()
      this.#problem('a wrong argument was taken')
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    }
    if (this.#describe() !== before) this.#problem('a wrong argument has changed something')
  }

  #describe() {
    const { wire } = this
    return JSON.stringify([wire.requests.length, wire.peerRequests.length, wire.bufferedAmount])
  }

  // What the wire does

  #listen() {
    const { wire } = this
    for (const name of MESSAGE_EVENTS) {
      wire.on(name, (...values) => this.#onMessage(name, values))
    }
    wire.on('download', (bytes) => {
      this.#peer.downloaded += bytes
      this.#onEvent('download', false)
    })
    // It follows the callback of its request, even if that has closed the wire.
    wire.on('timeout', () => this.#scene.react(this, 'timeout'))
    wire.on('upload', (bytes) => this.#onUpload(bytes))
    for (const name of ['finish', 'end', 'close']) {
      wire.on(name, () => {
        this.#ends[name]++
        this.#scene.note(`${this.name} '${name}'`)
        this.#scene.react(this, name)
      })
    }
    if (this.#input.listens) wire.on('error', (error) => this.#onError(error))
  }

  #onMessage(name, values) {
    this.#told.push(describeTold(name, values))
    UPDATES[name]?.({ peer: this.#peer, waiting: this.#waiting, accepted: this.accepted }, values)
    if (name === 'request') this.#checkBacklog()
    this.#onEvent(name)
  }

  /** Where one message has several events, what is thrown in one costs the others of it. */
  #onEvent(name, mayThrow = true) {
    this.#scene.note(`${this.name} '${name}'`)
    if (this.#ends.close > 0) this.#problem(`'${name}' came after 'close'`)
    this.#check()
    if (mayThrow) this.#scene.react(this, name)
    else this.#scene.meddle(this)
  }

  #onUpload(bytes) {
    const frame = this.#uploads.pop()
    if (frame?.length !== bytes + 13) this.#problem(`'upload' of ${bytes} bytes`)
    this.#scene.note(`${this.name} 'upload'`)
    this.#scene.react(this, 'upload')
    this.#expect(frame, 13)
  }

  #onError(error) {
    this.#ends.error++
    if (this.#ends.close > 0) this.#problem("'error' came after 'close'")
    if (error !== this.wire.error) this.#problem("'error' with another error")
    this.#scene.react(this, 'error')
  }

  #onSettled(request, error, bytes) {
    const { code, message } = error ?? {}
    this.#scene.note(`${this.name} callback of ${this.asked.indexOf(request)}: ${message}`)
    if (request.calls++ > 0) this.#problem('a callback was called again')
    const wasOpen = remove(this.#open, (open) => open === request)
    if (wasOpen !== request.isAccepted) this.#problem('a callback at a wrong time')
    if (!error && bytes.length !== request.length) this.#problem('a block of wrong length')
    if (error && !code && !CALLBACK_ERRORS.has(message)) this.#problem(`error ${message}`)
    this.#check()
    if (error) this.#scene.react(this, 'callback')
    else this.#scene.meddle(this)
    request.onSettled()
  }

  /** Nothing is sent behind the end, nor to a peer that has broken the protocol. */
  get #isSending() {
    // Listeners hear of a failure only when what was sent before has left.
    return !this.wire.writableFinished && this.wire._failure === null
  }

  #expect(frame, unpaced = frame.length) {
    if (!this.#isSending) return
    this.#sent.push(frame)
    this.#unpaced += unpaced
  }

  /** What the wire shows against what it has told. */
  #check() {
    const { wire } = this
    if (wire.writableFinished) this.#waiting.length = 0
    this.#expectEqual('open requests', wire.requests.length, this.#open.length)
    this.#open.forEach(({ callback }, at) => {
      if (wire.requests[at]?.callback !== callback) this.#problem(`other request at ${at}`)
    })
    this.#expectEqual('peerRequests', wire.peerRequests.length, this.#waiting.length)
    this.#waiting.forEach(({ respond }, at) => {
      if (wire.peerRequests[at]?.callback !== respond) this.#problem(`other peer request at ${at}`)
    })
    this.#expectEqual('peerChoking', wire.peerChoking, this.#peer.choking)
    this.#expectEqual('peerInterested', wire.peerInterested, this.#peer.interested)
    this.#expectEqual('downloaded', wire.downloaded, this.#peer.downloaded)
    if (wire.peerRequests.length > MAX_PEER_REQUESTS) this.#problem('too many peer requests')
  }

  /** No request is told while more waits than may, apart from what is no answer. */
  #checkBacklog() {
    // The wire looks at it when a reader has taken what it can.
    if (this.reader.isTaking) return
    const most = this.#backlog + this.#unpaced + this.reader.mark
    const { bufferedAmount } = this.wire
    if (bufferedAmount > most) this.#problem(`${bufferedAmount} bytes wait, not ${most}`)
  }

  /** What the user does when the output is read. */
  onOutput(isPiped) {
    if (isPiped) this.#scene.meddle(this)
    else this.#scene.react(this, 'data')
  }

  // How it ends

  get isAtRest() {
    const { bufferedAmount, writableLength } = this.wire
    return bufferedAmount + writableLength + this.reader.waiting === 0
  }

  /** Gives the rest of the input, if the wire is still heard. */
  receiveAll() {
    while (!this.isEnded && this.#chunks.length > 0) {
      this.receive((chunk) => this.wire.write(chunk))
    }
  }

  /** Holds what the wire has told against the bytes that it got. */
  checkReaction() {
    const { wire } = this
    const expected = expectEvents({ ...this.#input, unchokes: true, answers: true })
    const [told, all] = [this.#told, expected.events].map(withoutRequests)
    const isWhole = !this.isEnded && this.#chunks.length === 0
    const wanted = isWhole ? all : all.slice(0, told.length)
    const at = wanted.findIndex((event, index) => event !== told[index])
    if (at >= 0) this.#expectEqual(`event ${at}`, told[at], wanted[at])
    this.#expectEqual('number of events', told.length, wanted.length)
    const requests = [this.#told, expected.events].map((events) => events.filter(isRequest))
    if (!isSubsequence(...requests)) this.#problem('requests that were never sent, or out of order')
    if (isWhole) this.#expectEqual('code', wire.error?.code ?? null, expected.code)
    else if (wire.error !== this.#failure && !this.#isTruncated)
      this.#expectEqual('code', wire.error?.code, expected.code)
  }

  /** Whether the wire says that we have ended its input inside a message. */
  get #isTruncated() {
    return this.isEnded && this.wire.error?.code === 'ERR_PWP_TRUNCATED'
  }

  /** Holds the end of the wire against what every end must bring. */
  checkEnd() {
    const { wire } = this
    for (const name of ['finish', 'end', 'close']) {
      this.#expectEqual(`number of '${name}'`, this.#ends[name], 1)
    }
    const errors = wire.error && this.#input.listens ? 1 : 0
    this.#expectEqual("number of 'error'", this.#ends.error, errors)
    const lost = this.asked.filter(({ calls }) => calls === 0).length
    this.#expectEqual('callbacks that were lost', lost, 0)
    this.#check()
    this.#checkOutput()
    if (wire.bufferedAmount !== 0) this.#problem(`${wire.bufferedAmount} bytes wait`)
  }

  #checkOutput() {
    const [sent, read] = [Buffer.concat(this.#sent), this.reader.bytes]
    if (sent.equals(read)) return
    let at = 0
    while (sent[at] === read[at]) at++
    const show = (bytes) =>
      `${bytes.length} bytes, at ${at} ${bytes.subarray(at, at + 20).toString('hex')}`
    this.#problem(`output of ${show(read)} instead of ${show(sent)}`)
  }

  #problem(what) {
    this.#scene.problem(`${this.name}: ${what}`)
  }

  #expectEqual(what, actual, expected) {
    if (actual !== expected) this.#problem(`${what}: ${actual} instead of ${expected}`)
  }
}

const isSame = (a, b) => a.piece === b.piece && a.offset === b.offset && a.length === b.length

/** Takes out the first that matches; says whether there was one. */
function remove(items, matches) {
  const at = items.findIndex(matches)
  if (at >= 0) items.splice(at, 1)
  return at >= 0
}

/** What an event of the peer changes. */
const UPDATES = {
  choke: ({ peer }) => (peer.choking = true),
  unchoke: ({ peer }) => (peer.choking = false),
  interested: ({ peer }) => (peer.interested = true),
  uninterested: ({ peer }) => (peer.interested = false),
  request({ waiting, accepted }, [piece, offset, length, respond]) {
    const request = { piece, offset, length, respond }
    waiting.push(request)
    accepted.push(request)
  },
  cancel({ waiting }, [piece, offset, length]) {
    remove(waiting, (request) => isSame(request, { piece, offset, length }))
  }
}

const isRequest = (event) => event.startsWith('request ')
const withoutRequests = (events) => events.filter((event) => !isRequest(event))

function isSubsequence(part, whole) {
  let found = 0
  for (const item of whole) if (item === part[found]) found++
  return found === part.length
}
