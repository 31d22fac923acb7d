// The extension protocol of one wire: what it must send by itself, what its extensions must be told and when.
//
// The wire sends some of its extended handshakes when no code of the user runs. `settle()` catches up: it is
// called before whatever a user does.
import { createRequire } from 'node:module'
import { isDeepStrictEqual } from 'node:util'
import { encodeBencode } from '../../testkit/bencode.mjs'
import { named } from '../../testkit/extensions.mjs'
import { encodeMessage } from '../../testkit/messages.mjs'
import { Announced, isHandshake } from './announced.mjs'

const { makeExtension } = createRequire(import.meta.url)('../../index.js')

const MAX_ID = 255

/** What an extension may have besides its name. */
const METHODS = ['onHandshake', 'onExtendedHandshake', 'onMessage']

export class Extending {
  /** Whether the wire uses the extension protocol. */
  isOn
  #subject
  #scene
  #raw
  #settings
  #isReading
  #isSent = false
  #mapping = new Map() // names by our ids
  #extensions = new Map() // in use: their methods by name
  #own = {} // what our handshake says
  #early = null // assigned to `extendedHandshake` before the first use
  #peer = new Announced()
  #announced = null // whether our handshake announces the protocol; null before it
  #peerAnnounced = null
  #isIntroduced = false // the listeners of the peer's handshake have run
  #introduction = null // while they run, and those of extensions
  #inside = 0 // how many of these run now
  #due = null // the handshake that is sent once they have run
  #calls = 0 // of handshake()
  #told = [] // what use() must tell an extension
  #delivery = null // of a message of the peer, before its event
  #isOwed = false // whether 'extended-handshake' comes next
  #newest = null // `peerExtendedHandshake` when it was last compared

  /**
   * @param {import('./subject.mjs').Subject} subject
   * @param {import('./scene.mjs').Scene} scene
   * @param {object} options of the wire
   */
  constructor(subject, scene, options) {
    this.#subject = subject
    this.#scene = scene
    this.#raw = subject.raw
    this.#settings = { maxPeerRequests: options.maxPeerRequests ?? 2000, policy: options.policy }
    this.isOn = options.extensions === true
    this.#isReading = this.isOn
    this.#raw.on('handshake', (...values) => this.#onHandshake(...values))
    this.#raw.on('extended-handshake', (handshake) => this.#onDecoded(handshake))
  }

  // Actions of the user

  /** @param {object} random */
  use(name, random) {
    if (this.#extensions.has(name)) return this.#misuse(name)
    const wasOn = this.isOn
    const use = { name, isMade: false, isRefused: false }
    this.isOn = true
    try {
      const extension = this.#subject.wire.use(this.#makeClass(use, random))
      if (use.isRefused || !use.isMade) this.#problem('use() returned what it must refuse')
      if (this.#raw[name] !== extension) this.#problem('an extension is no property')
    } catch (error) {
      // A mistake changes nothing. But the constructor may have used another extension.
      this.settle()
      if (!wasOn && this.#extensions.size === 0) this.#turnOff()
      if (!use.isRefused || !error.message.includes(name)) throw error
    }
    this.#expectTold(name)
    return undefined
  }

  #misuse(name) {
    const { wire } = this.#subject
    this.#subject.misuse(() => wire.use(named(name)), { kinds: [Error], names: name })
  }

  /** Without extensions and the option the wire has not begun to use the protocol. */
  #turnOff() {
    this.isOn = false
    this.#isSent = false
    this.#mapping.clear()
    this.#own = {}
  }

  /** @param {object} handshake assigned to `extendedHandshake` */
  assign(handshake) {
    const isAdopted = this.#isReading
    this.#raw.extendedHandshake = handshake
    if (isAdopted) this.#own = handshake
    else if (this.isOn && this.#early === null) this.#own = handshake
    else this.#early = handshake
  }

  /** @param {number | string} id @param {object | Buffer} value */
  send(id, value) {
    const call = () => this.#subject.wire.extended(id, value)
    if (typeof id === 'string') return this.#sendTo(id, value, call)
    if (id === 0 && this.isOn && !Buffer.isBuffer(value)) this.#sendOwn(value)
    else {
      this.#isSent ||= id === 0 && this.isOn
      this.#expect(id, value)
    }
    return call()
  }

  #sendTo(name, value, call) {
    const { mapping } = this.#peer
    if (this.isOn && Object.hasOwn(mapping, name)) {
      this.#expect(mapping[name], value)
      return call()
    }
    return this.#subject.misuse(call, { kinds: [Error], names: this.isOn ? name : 'id' })
  }

  /**
   * Our handshake is sent by `call`.
   *
   * @param {boolean} announces the extension protocol
   * @param {() => void} call
   */
  handshake(announces, call) {
    this.#announced ??= announces
    this.#calls++
    try {
      call()
    } finally {
      // A closed wire does not answer any more.
      if (this.#mayGreet && !this.#raw.closed) this.#sendOwn()
      this.#calls--
    }
  }

  // What the wire sends

  #expect(id, value) {
    const payload = Buffer.isBuffer(value) ? value : encodeBencode(value)
    this.#subject.observer.expect(encodeMessage({ type: 'extended', id, payload }))
  }

  #sendOwn(given) {
    const handshake = this.#toHandshake(given)
    this.#note(handshake)
    this.#expect(0, handshake)
  }

  /** What a user announces becomes ours. */
  #note({ m }) {
    this.#isSent = true
    for (const [name, id] of Object.entries(m)) {
      if (id >= 1 && id <= MAX_ID && !this.#mapping.has(id)) this.#mapping.set(id, name)
    }
  }

  #toHandshake(given) {
    const ids = [...this.#mapping].toSorted(([one], [other]) => one - other)
    const m = Object.fromEntries(ids.map(([id, name]) => [name, id]))
    Object.assign(m, this.#own.m, given?.m)
    return { reqq: this.#settings.maxPeerRequests, ...this.#own, ...given, m }
  }

  get #mayGreet() {
    return this.isOn && !this.#isSent && this.#announced === true && this.#peerAnnounced === true
  }

  /** Catches up with what the wire has done since the last code of the user. */
  settle() {
    if (this.#calls > 0 && this.#mayGreet && this.#raw._getSession().extensions?.isSent)
      this.#sendOwn()
    if (this.#introduction === null || this.#inside > 0) return
    const { told } = this.#introduction
    this.#introduction = null
    this.#isIntroduced = true
    if (this.#due !== null) {
      this.#note(this.#due.handshake)
      if (this.#due.isSending) this.#subject.observer.output.expect(this.#due.bytes)
    }
    const all = this.#namesWith('onHandshake')
    const isCut = this.#raw.closed && told.length < all.length
    const wanted = isCut ? all.slice(0, told.length) : all
    if (String(told) !== String(wanted))
      this.#problem(`the handshake was told to ${told} instead of ${wanted}`)
  }

  // What the peer sends

  #onHandshake(infoHash, peerId, { extended }) {
    const ids = [infoHash, peerId].map((id) => id.toString('hex'))
    this.#introduction = { told: [], ids }
    this.#peerAnnounced = extended
    this.#inside++
  }

  /** The listeners of 'handshake', or an extension that is told, have done. */
  #leave() {
    this.#inside--
    const isDue = this.#mayGreet && !this.#raw.closed
    this.#due = isDue ? this.#makeDue() : null
  }

  #makeDue() {
    const handshake = this.#toHandshake()
    const payload = encodeBencode(handshake)
    const bytes = encodeMessage({ type: 'extended', id: 0, payload })
    return { handshake, bytes, isSending: this.#subject.observer.isSending }
  }

  leaveHandshake() {
    this.#leave()
  }

  /** Before an event of a message is checked otherwise. */
  onEvent(name, values) {
    if (name === 'handshake') return
    this.settle()
    if (name === 'extended') this.#onRaw(...values)
    else this.#expectNothing(name)
  }

  #expectNothing(place) {
    const isOpen = !this.#raw.closed
    if (isOpen && this.#delivery !== null)
      this.#problem(`an extension was told of a message without 'extended' before ${place}`)
    if (isOpen && this.#isOwed) this.#problem(`no 'extended-handshake' before ${place}`)
    this.#delivery = null
    this.#isOwed = false
  }

  #onRaw(id, payload) {
    const { next } = this.#subject.observer.hearing
    if (this.#isOwed) this.#expectNothing('extended')
    if (id === 0 && this.#isReading) this.#onRawHandshake(next)
    else if (this.#delivery === null) this.#expectUntold(id)
    else if (this.#delivery.payload !== payload) this.#problem('an extension got another message')
    this.#delivery = null
  }

  #onRawHandshake(next) {
    const isBegun = this.#delivery !== null
    if (!isBegun && !this.#begin(next)) {
      if (this.#settings.policy === 'strict')
        this.#problem('a strict wire emitted a senseless extended handshake')
      return
    }
    const { queue } = this.#delivery
    if (queue === undefined || queue.length > 0) this.#problem(`extensions were not told: ${queue}`)
    this.#isOwed = true
  }

  #expectUntold(id) {
    const extension = this.#extensions.get(this.#mapping.get(id))
    if (extension?.has('onMessage')) this.#problem('an extension was not told of its message')
  }

  /** The peer's extended handshake is read; false if it makes no sense. */
  #begin(next) {
    const bytes = Buffer.from(next?.split(' ')[2] ?? '', 'hex')
    if (!next?.startsWith('extended 0 ') || !this.#isReading || !this.#peer.apply(bytes))
      return false
    const names = this.#namesWith('onExtendedHandshake')
    this.#delivery = { queue: names.filter((name) => Object.hasOwn(this.#peer.mapping, name)) }
    return true
  }

  #onDecoded(handshake) {
    this.settle()
    this.#enter('extended-handshake')
    if (!this.#isOwed) this.#problem("'extended-handshake' came before 'extended', or without it")
    this.#isOwed = false
    if (handshake !== this.#raw.peerExtendedHandshake)
      this.#problem("'extended-handshake' with another handshake")
    this.check()
    this.#scene.react(this.#subject, 'extended-handshake')
  }

  // What extensions are told

  #makeClass(use, random) {
    const { name } = use
    const Base = random.chance(0.3) ? makeExtension(name) : Object
    const methods = new Set(METHODS.filter(() => random.chance(0.8)))
    if (Base !== Object) methods.add('onExtendedHandshake').add('onMessage')
    const make = (...values) => this.#make(use, methods, ...values)
    class Extension extends Base {
      constructor(wire) {
        super(wire)
        make(this, wire)
      }
    }
    for (const method of methods) {
      const tell = (...values) => this.#tell(name, method, ...values)
      Extension.prototype[method] = function (...values) {
        return tell(values, () => Base.prototype[method]?.apply(this, values))
      }
    }
    Object.defineProperty(Extension.prototype, 'name', { value: name })
    return Extension
  }

  /** In a constructor. When it returns, the extension is used, and our handshake is sent. */
  #make(use, methods, extension, wire) {
    const { name } = use
    if (wire !== this.#raw) this.#problem('an extension of another wire')
    for (const event of ['ready', 'message', 'malformed'])
      extension.on?.(event, () => this.#scene.react(this.#subject, event))
    this.#scene.react(this.#subject, `the constructor of ${name}`)
    this.settle()
    use.isMade = true
    use.isRefused = this.#extensions.has(name)
    if (use.isRefused) return
    let id = 1
    while (this.#mapping.has(id) && id <= MAX_ID) id++
    this.#mapping.set(id, name)
    this.#extensions.set(name, methods)
    if (this.#early !== null) this.#own = this.#early
    this.#early = null
    this.#isReading = true
    if (this.#isSent || (this.#isIntroduced && this.#mayGreet)) this.#sendOwn()
    const { handshake, mapping } = this.#peer
    if (handshake === null || !Object.hasOwn(mapping, name) || !methods.has('onExtendedHandshake'))
      return
    this.#told.push({ name, handshake: this.#raw.peerExtendedHandshake })
  }

  #expectTold(name) {
    const at = this.#told.findIndex((one) => one.name === name)
    if (at < 0) return
    const [{ handshake }] = this.#told.splice(at, 1)
    // If there is a newer one, it was told of that.
    if (!this.#raw.closed && handshake === this.#raw.peerExtendedHandshake)
      this.#problem(`${name} was not told of what the peer has announced`)
  }

  #tell(name, method, values, act) {
    if (method === 'onHandshake') return this.#tellHandshake(name, values, act)
    this.settle()
    this.#enter(`${name} ${method}`)
    if (method === 'onMessage') this.#tellMessage(name, values)
    else this.#tellAnnounced(name, values)
    this.check()
    this.#scene.react(this.#subject, `${name} ${method}`)
    return act()
  }

  #tellHandshake(name, [infoHash, peerId, extensions], act) {
    this.#due = null
    this.#enter(`${name} onHandshake`)
    if (this.#introduction === null) {
      this.#problem(`${name} was told of the handshake at a wrong time`)
      return act()
    }
    const { told, ids } = this.#introduction
    told.push(name)
    if (String(ids) !== String([infoHash, peerId])) this.#problem('told of another handshake')
    if (extensions !== this.#raw.peerExtensions) this.#problem('told of other extensions')
    this.#inside++
    try {
      this.#scene.react(this.#subject, `${name} onHandshake`)
      return act()
    } finally {
      this.#leave()
    }
  }

  #tellMessage(name, [payload]) {
    const { hearing } = this.#subject.observer
    this.#expectNothing('onMessage')
    const [event, id, hex = ''] = hearing.next?.split(' ') ?? []
    const isIts = event === 'extended' && this.#mapping.get(Number(id)) === name
    if (!isIts || hex !== payload.toString('hex'))
      this.#problem(`${name} got a message that is not for it`)
    this.#delivery = { payload }
    this.#subject.observer.onPayload(Number(id), payload)
  }

  #tellAnnounced(name, [handshake]) {
    const at = this.#told.findIndex((one) => one.name === name && one.handshake === handshake)
    if (handshake !== this.#raw.peerExtendedHandshake) this.#problem('told of another handshake')
    if (at >= 0) {
      this.#told.splice(at, 1)
      return
    }
    if (this.#isOwed) this.#expectNothing('onExtendedHandshake')
    if (this.#delivery === null) this.#begin(this.#subject.observer.hearing.next)
    const next = this.#delivery?.queue?.shift()
    if (next !== name) this.#problem(`${name} was told what the peer announces, not ${next}`)
  }

  #enter(place) {
    this.#scene.note(`${this.#subject.name} ${place}`)
    if (this.#subject.observer.closes > 0)
      this.#problem(`an extension was called after 'close': ${place}`)
  }

  #namesWith(method) {
    return [...this.#extensions].filter(([, methods]) => methods.has(method)).map(([name]) => name)
  }

  // Checks

  /** @returns {boolean} whether a strict wire may have failed at this event of the input */
  isSenseless(event) {
    const bytes = Buffer.from(event?.split(' ')[2] ?? '', 'hex')
    return this.#isReading && event?.startsWith('extended 0 ') === true && !isHandshake(bytes)
  }

  /** Compares the properties of the wire. */
  check() {
    const { extendedMapping, peerExtendedMapping, peerExtendedHandshake } = this.#raw
    const mapping = this.isOn ? Object.fromEntries(this.#mapping) : null
    this.#compare('extendedMapping', extendedMapping, mapping)
    this.#compare('peerExtendedMapping', peerExtendedMapping, this.isOn ? this.#peer.mapping : null)
    if (peerExtendedHandshake === this.#newest) return
    this.#newest = peerExtendedHandshake
    if (!isDeepStrictEqual(peerExtendedHandshake, this.#peer.handshake))
      this.#compare('peerExtendedHandshake', peerExtendedHandshake, this.#peer.handshake, true)
  }

  checkEnd() {
    this.settle()
    this.check()
    if (this.#told.length > 0) this.#problem('use() has not returned')
  }

  #compare(what, actual, expected, isDifferent = false) {
    const [is, wanted] = [show(actual), show(expected)]
    if (isDifferent || is !== wanted) this.#problem(`${what}: ${is} instead of ${wanted}`)
  }

  #problem(what) {
    this.#subject.problem(what)
  }
}

const show = (value) => {
  const entries =
    value && Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify(entries, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner))
}
