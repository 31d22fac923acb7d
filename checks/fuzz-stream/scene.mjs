// What the wires of one random case share: the dice, how deep handlers are nested, what they throw.
import { drawAction } from './actions.mjs'
import { lose } from './memory.mjs'

/** Calls within calls within handlers. */
const MAX_DEPTH = 4

/** Actions of one case, as those of handlers bring forth more. */
const MAX_ACTIONS = 400

/** What a listener or callback throws on purpose. */
class Deliberate extends Error {}

export class Scene {
  problems = []
  trace = []
  subjects = []
  #random
  #liveliness
  #wildness
  #lossiness
  #depth = 0
  #actions = 0
  #thrown = 0
  #surfaced = new Set()

  /** @param {import('../../testkit/random.mjs').Random} random */
  constructor(random) {
    this.#random = random
    this.#liveliness = random.pick([0, 0.1, 0.3, 0.6])
    this.#wildness = random.pick([0, 0, 0, 0.02, 0.2])
    this.#lossiness = random.pick([0, 0.02, 0.1])
  }

  /** Something that must not be. */
  problem(what) {
    this.problems.push(what)
    this.note(`!! ${what}`)
  }

  note(what) {
    this.trace.push(`${'  '.repeat(this.#depth)}${what}`)
  }

  /** What a user may do in any listener or callback of a wire. */
  react(subject, place) {
    this.meddle(subject)
    if (!this.#random.chance(this.#wildness)) return
    this.#thrown++
    throw new Deliberate(`in ${place}, throw ${this.#thrown}`)
  }

  /** What may be done wherever code of the user runs: in a stream of his own he must not throw. */
  meddle(subject) {
    if (this.#random.chance(this.#liveliness)) this.act(this.#pickSubject(subject))
  }

  /** Does something at random with a wire. */
  act(subject) {
    if (this.#depth >= MAX_DEPTH || this.#actions++ >= MAX_ACTIONS) return
    const [name, action] = drawAction(this.#random)
    this.note(`${subject.name} ${name}`)
    this.#depth++
    try {
      action(subject, this.#random)
    } catch (error) {
      this.surface(error)
    } finally {
      this.#depth--
    }
  }

  /**
   * Takes the memory of some bytes away, from all that have bytes in it.
   *
   * @param {Buffer} [bytes]
   */
  lose(bytes) {
    if (this.#lossiness === 0 || bytes === undefined || !lose(bytes.buffer, this.#random)) return
    const { buffer } = bytes
    this.note(`memory has ${buffer.byteLength} bytes left`)
    for (const subject of this.subjects) subject.noteLoss(buffer)
  }

  /** Now and then, as that is the end of most sessions. */
  mayLose(bytes) {
    if (this.#random.chance(this.#lossiness)) this.lose(bytes)
  }

  /** What a wrong call must not change. */
  describe() {
    return this.subjects.map((subject) => subject.describe()).join()
  }

  /** Mostly the wire that speaks; listeners of one may as well use another. */
  #pickSubject(subject) {
    return this.#random.chance(0.85) ? subject : this.#random.pick(this.subjects)
  }

  /**
   * Takes what came out of a call, or was not caught at all.
   *
   * @param {Error} error
   */
  surface(error) {
    if (!(error instanceof Deliberate)) this.problem(`throws ${error?.stack}`)
    else if (this.#surfaced.has(error)) this.problem(`threw twice: ${error.message}`)
    this.#surfaced.add(error)
  }

  /** Errors may replace each other on their way, but not all be lost. */
  checkThrown() {
    if (this.#thrown > 0 && this.#surfaced.size === 0) this.problem('an exception was swallowed')
  }
}
