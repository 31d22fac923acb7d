// Random calls that a user may make on a wire at any moment.
import { drawBlock, drawPayload } from '../../testkit/sessions/peer-messages.mjs'
import { encodeBencode } from '../../testkit/bencode.mjs'
import { EXTENSION_NAMES } from '../../testkit/hostile/extended-messages.mjs'
import { named } from '../../testkit/extensions.mjs'
import { bytesOf } from '../../testkit/messages.mjs'
import { drawForeignCall } from './foreign.mjs'
import { drawWrongOption } from './options.mjs'

const WEIGHTS = {
  handshake: 2,
  choke: 3,
  unchoke: 12,
  interested: 3,
  uninterested: 3,
  have: 5,
  bitfield: 3,
  request: 12,
  requests: 3,
  'request within limits': 8,
  abort: 6,
  cancel: 6,
  piece: 4,
  port: 2,
  extended: 4,
  'extended by name': 4,
  'extended handshake': 3,
  'extended handshake, bytes': 1,
  'announce more': 2,
  use: 4,
  'have all': 1,
  'have none': 1,
  suggest: 2,
  'allow fast': 5,
  reject: 4,
  answer: 10,
  'answer all': 4,
  'answer wrongly': 8,
  refuse: 4,
  misuse: 4,
  'misuse a name': 0.5,
  'wrong option': 1,
  'foreign receiver': 3,
  'lose input': 5,
  'lose output': 2,
  look: 4,
  'time out': 4,
  'keep alive': 2,
  receive: 8,
  'receive elsewhere': 6,
  'receive text': 1,
  'receive view': 1,
  cork: 1,
  uncork: 2,
  pause: 2,
  resume: 4,
  pipe: 3,
  unpipe: 2,
  read: 4,
  'set encoding': 0.5,
  release: 3,
  end: 0.2,
  'end with input': 0.1,
  destroy: 0.3,
  'destroy with error': 0.1
}

/**
 * Draws one action.
 *
 * @param {object} random
 * @returns {[string, (subject: import('./subject.mjs').Subject, random: object) => void]}
 */
export function drawAction(random) {
  const name = random.weighted(WEIGHTS)
  return [name, ACTIONS[name]]
}

/** A call of a command without values. */
const plain = (type) => (subject) => {
  const { wire } = subject
  const [property, value] = STATES[type]
  if (wire[property] === value) wire[type]()
  else subject.send({ type }, () => wire[type]())
}

/** Commands that are sent only on a change of state, with the state that each sets. */
const STATES = {
  unchoke: ['amChoking', false],
  interested: ['amInterested', true],
  uninterested: ['amInterested', false]
}

/** A call of a command whose arguments are the fields of the message. */
const valued = (draw, call) => (subject, random) => {
  const message = draw(random)
  subject.send(message, () => call(subject.wire, message))
}

/** Without and with the flag of the extension protocol. */
const RESERVED = [Buffer.of(1, 2, 3, 4, 0x80, 6, 7, 8), Buffer.of(0, 0, 0, 0, 0, 0x10, 0, 0)]

/** What a handshake announces; without the fast extension, of which the case decides. */
const drawExtensions = (random) => ({
  dht: random.pick([true, 1, 'yes', false, undefined]),
  extended: random.pick([true, false, null, undefined]),
  fast: random.pick([true, false, null]),
  v2: random.pick([true, false, undefined]),
  reserved: random.pick([null, undefined, ...RESERVED])
})

/** A message of the fast extension that names a piece. */
function hint(type, call) {
  return (subject, random) => {
    const { piece: index } = drawBlock(random)
    subject.tell({ type, piece: index }, () => call(subject.wire, index))
  }
}

function reject(subject, random) {
  const { accepted } = subject.observer.requests
  const isKnown = accepted.length > 0 && random.chance(0.8)
  subject.reject(isKnown ? random.pick(accepted.slice(-20)) : drawBlock(random))
}

function cancel(subject, random) {
  const isKnown = subject.observer.requests.asked.length > 0 && random.chance(0.8)
  subject.cancel(isKnown ? random.pick(subject.observer.requests.asked) : drawBlock(random))
}

/** Of a request that is open, or that has ended. */
function abort(subject, random) {
  const abortable = subject.observer.requests.asked.filter(({ limits }) => limits?.mayAbort)
  if (abortable.length > 0) random.pick(abortable.slice(-10)).limits.abort()
}

/** Small blocks are copied, larger ones are not. */
function piece(subject, random) {
  const { piece: index, offset, length } = drawBlock(random)
  const size = random.pick([0, length, length, 2048, 2049, 40_000])
  subject.piece(index, offset, { size, fill: offset & 0xff })
}

/** The same requests again and again, even after they are answered. */
function answer(subject, random) {
  if (subject.observer.requests.accepted.length === 0) return
  const request = random.pick(subject.observer.requests.accepted.slice(-20))
  subject.answer(request, { size: request.length, fill: request.piece & 0xff })
}

function answerAll(subject) {
  for (const request of subject.observer.requests.accepted.slice(-40)) {
    subject.answer(request, { size: request.length, fill: request.offset & 0xff })
  }
}

/** What stores return for a block that they do not hold completely. */
const NO_BLOCKS = [undefined, null, false, 7, 'text', {}, { length: 16 }, [0], new Uint16Array(16)]

function drawWrongAnswer({ length }, random) {
  const sizes = [0, length - 1, length + 1, 32 * 1024].filter(
    (size) => size >= 0 && size !== length
  )
  return random.chance(0.5) ? random.pick(NO_BLOCKS) : Buffer.alloc(random.pick(sizes))
}

function answerWrongly(subject, random) {
  if (subject.observer.requests.accepted.length === 0 || random.chance(0.1)) {
    return subject.pieceOfNothing(drawBlock(random), random.pick(NO_BLOCKS))
  }
  const request = random.pick(subject.observer.requests.accepted.slice(-20))
  if (random.chance(0.3)) return subject.pieceOfNothing(request, random.pick(NO_BLOCKS))
  return subject.answerWrongly(request, drawWrongAnswer(request, random))
}

function refuse(subject, random) {
  if (subject.observer.requests.accepted.length > 0)
    subject.refuse(random.pick(subject.observer.requests.accepted))
}

/** Messages of an extension. */
const VALUES = ['text', 7, Buffer.from('bytes'), { list: [1, 'two'] }, []]

/** What a user announces besides what the wire does. */
function drawOwn(random) {
  const own = {}
  if (random.chance(0.4)) own.v = 'Client 1.0'
  if (random.chance(0.2)) own.reqq = 7
  if (random.chance(0.2)) own.metadata_size = 2 ** 32 - 1
  if (random.chance(0.5))
    own.m = { [random.pick([...EXTENSION_NAMES, 'other'])]: random.pick([0, 1, 2, 3, 9, 255, 300]) }
  return own
}

const BYTES = Buffer.alloc(3)

/** Calls with wrong arguments. */
const MISTAKES = [
  ({ wire }) => wire.request(-1, 0, 1),
  ({ wire }) => wire.request(0, 0.5, 1),
  ({ wire }) => wire.request(0, 0, 2 ** 32),
  ({ wire }) => wire.request(0, 0, 1, 'callback'),
  ({ wire }) => wire.request(0, 0, 1, {}, 'callback'),
  ({ wire }) => wire.request(0, 0, 1, { timeout: -1 }),
  ({ wire }) => wire.request(0, 0, 1, { timeout: 2 ** 31 }),
  ({ wire }) => wire.request(0, 0, 1, { signal: new AbortController() }),
  ({ wire }) => wire.requestBlock(0, 0, 1, { signal: {} }),
  ({ wire }) => wire.requestBlock(0, 0, 1, () => {}),
  ({ wire }) => wire.cancel(0, '0', 1),
  ({ wire }) => wire.have(NaN),
  ({ wire }) => wire.have(),
  ({ wire }) => wire.bitfield('bits'),
  ({ wire }) => wire.piece(0, -1, BYTES),
  ({ wire }) => wire.port(65_536),
  ({ wire }) => wire.extended(256, BYTES),
  ({ wire }) => wire.extended(1),
  ({ wire }) => wire.extended(0, { m: { ut_pex: 1.5 } }),
  ({ wire }) => wire.extended(3, { isTrue: true }),
  ({ wire }) => wire.use(named('n'.repeat(65))),
  ({ wire }) => wire.use('ut_pex'),
  ({ wire }) => wire.handshake(7, BYTES),
  ({ wire }) => wire.handshake(Buffer.alloc(20), Buffer.alloc(20), { fast: 1 }),
  ({ wire }) => wire.handshake(Buffer.alloc(20), Buffer.alloc(20), { reserved: BYTES }),
  ({ wire }) => wire.suggest(-1),
  ({ wire }) => wire.allowedFast(),
  ({ wire }) => wire.reject(0, 0, '1'),
  ({ wire }) => wire.setPieces(0),
  ({ wire }) => wire.setTimeout(-1),
  ({ wire }) => wire.setTimeout(2 ** 31)
]

function wrongOption(subject, random) {
  const [name, value] = drawWrongOption(random)
  subject.misuse(() => subject.createWire({ [name]: value }), { names: name })
}

function foreignReceiver(subject, random) {
  subject.misuse(drawForeignCall(subject.raw, random), { kinds: [TypeError] })
}

function look(subject) {
  const { wire } = subject
  subject.observer.checkDropped()
  wire.uploadSpeed()
  wire.downloadSpeed()
  return [wire.peerPieces.length, wire.bufferedAmount, wire.peerAddress, wire.errored]
}

/** A listener of one wire writes input to another. */
function receiveElsewhere(subject) {
  const { neighbour } = subject
  neighbour.receive((chunk) => neighbour.wire.write(chunk))
}

/** Input in the other forms that a stream accepts. */
const receiveText = (subject) =>
  subject.receive((chunk) => subject.wire.write(chunk.toString('latin1'), 'latin1', () => {}))
const viewOf = ({ buffer, byteOffset, length }) => new Uint8Array(buffer, byteOffset, length)
const receiveView = (subject) => subject.receive((chunk) => subject.wire.write(viewOf(chunk)))

const ACTIONS = {
  handshake: (subject, random) => subject.handshake(drawExtensions(random), random.below(255)),
  choke: (subject) => subject.choke(),
  unchoke: plain('unchoke'),
  interested: plain('interested'),
  uninterested: plain('uninterested'),
  have: valued(
    (random) => ({ type: 'have', piece: random.below(1000) }),
    (wire, message) => wire.have(message.piece)
  ),
  bitfield: valued(
    (random) => ({ type: 'bitfield', bits: drawPayload(random, 12) }),
    (wire, { bits }) => wire.bitfield(bytesOf(bits))
  ),
  request: (subject, random) => subject.request(drawBlock(random)),
  'request within limits': (subject, random) => subject.requestWithin(drawBlock(random)),
  abort,
  requests: (subject, random) => random.times(30, () => subject.request(drawBlock(random))),
  cancel,
  piece,
  port: valued(
    (random) => ({ type: 'port', port: random.below(65_536) }),
    (wire, { port }) => wire.port(port)
  ),
  extended: (subject, random) =>
    subject.extending.send(random.below(256), bytesOf(drawPayload(random, 5000))),
  'extended by name': (subject, random) =>
    subject.extending.send(random.pick(EXTENSION_NAMES), random.pick(VALUES)),
  'extended handshake': (subject, random) => subject.extending.send(0, drawOwn(random)),
  'extended handshake, bytes': (subject, random) =>
    subject.extending.send(0, encodeBencode(drawOwn(random))),
  'announce more': (subject, random) => subject.extending.assign(drawOwn(random)),
  use: (subject, random) => subject.extending.use(random.pick(EXTENSION_NAMES), random),
  'have all': (subject) => subject.tell({ type: 'have-all' }, () => subject.wire.haveAll()),
  'have none': (subject) => subject.tell({ type: 'have-none' }, () => subject.wire.haveNone()),
  suggest: hint('suggest', (wire, index) => wire.suggest(index)),
  'allow fast': hint('allowed-fast', (wire, index) => wire.allowedFast(index)),
  reject,
  answer,
  'answer all': answerAll,
  'answer wrongly': answerWrongly,
  refuse,
  misuse: (subject, random) => subject.misuse(() => random.pick(MISTAKES)(subject)),
  'misuse a name': (subject, random) =>
    subject.misuse(() => subject.wire.use(named(random.pick(['', 'destroy']))), { kinds: [Error] }),
  'wrong option': wrongOption,
  'foreign receiver': foreignReceiver,
  'lose input': (subject) => subject.loseInput(),
  'lose output': (subject) => subject.loseOutput(),
  look,
  'time out': ({ wire }, random) => wire.setTimeout(random.pick([0, 5, 20])),
  'keep alive': ({ wire }, random) => wire.setKeepAlive(random.chance(0.7)),
  receive: (subject) => subject.receive((chunk) => subject.wire.write(chunk)),
  'receive elsewhere': receiveElsewhere,
  'receive text': receiveText,
  'receive view': receiveView,
  cork: ({ wire }) => wire.writableEnded || wire.cork(),
  uncork: (subject) => subject.uncork(),
  pause: ({ reader }) => reader.pause(),
  resume: ({ reader }) => reader.resume(),
  pipe: ({ reader }) => reader.pipe(),
  unpipe: ({ reader }) => reader.unpipe(),
  read: ({ reader }, random) => reader.read(random.pick([undefined, 1, 5, 68, 1000])),
  'set encoding': ({ reader }) => reader.setEncoding(),
  release: ({ reader }) => reader.release(),
  end: (subject) => subject.end(),
  'end with input': (subject) => subject.receive((chunk) => subject.end(chunk)),
  destroy: (subject) => subject.destroy(),
  'destroy with error': (subject) => subject.destroy(new Error('by the user'))
}
