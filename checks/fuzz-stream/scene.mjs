// State shared by the wires of one random case: the random source, the nesting of handlers, thrown errors.
import { drawAction } from './actions.mjs'
import { lose } from './memory.mjs'

/** Limit on nested calls: calls inside handlers of calls. */
const MAX_DEPTH = 4

/** Limit on the actions of one case, as actions in handlers cause more of them. */
const MAX_ACTIONS = 400

/** The error that a listener or callback throws on purpose. */
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

  /** Records a problem. */
  problem(what) {
    this.problems.push(what)
    this.note(`!! ${what}`)
  }

  note(what) {
    this.trace.push(`${'  '.repeat(this.#depth)}${what}`)
  }

  /** Does what a user may do in any listener or callback of a wire. */
  react(subject, place) {
    this.#settle()
    this.meddle(subject)
    if (!this.#random.chance(this.#wildness)) return
    this.#thrown++
    throw new Deliberate(`in ${place}, throw ${this.#thrown}`)
  }

  /** Does what a user may do wherever their code runs; in a stream of their own they must not throw. */
  meddle(subject) {
    this.#settle()
    if (this.#random.chance(this.#liveliness)) this.act(this.#pickSubject(subject))
  }

  #settle() {
    for (const { extending } of this.subjects) extending.settle()
  }

  /** Performs a random action on a wire. */
  act(subject) {
    if (this.#depth >= MAX_DEPTH || this.#actions++ >= MAX_ACTIONS) return
    this.#settle()
    const [name, action] = drawAction(this.#random)
    this.note(`${subject.name} ${name}`)
    this.#depth++
    this.attempt(() => action(subject, this.#random))
    this.#depth--
  }

  attempt(act) {
    try {
      act()
    } catch (error) {
      this.surface(error)
    }
  }

  /**
   * Takes away the memory of some bytes, for everyone who has bytes in it.
   *
   * @param {Buffer} [bytes]
   */
  lose(bytes) {
    if (this.#lossiness === 0 || bytes === undefined || !lose(bytes.buffer, this.#random)) return
    const { buffer } = bytes
    this.note(`memory has ${buffer.byteLength} bytes left`)
    for (const subject of this.subjects) subject.noteLoss(buffer)
  }

  /** Does so only now and then, as it ends most sessions. */
  mayLose(bytes) {
    if (this.#random.chance(this.#lossiness)) this.lose(bytes)
  }

  /** The state of all wires, which an invalid call must not change. */
  describe() {
    return this.subjects.map((subject) => subject.describe()).join()
  }

  /** Usually the wire that emits; a listener of one wire may also use another. */
  #pickSubject(subject) {
    return this.#random.chance(0.85) ? subject : this.#random.pick(this.subjects)
  }

  /**
   * Takes an error that a call threw or that was not caught at all.
   *
   * @param {Error} error
   */
  surface(error) {
    if (!(error instanceof Deliberate)) this.problem(`throws ${error?.stack}`)
    else if (this.#surfaced.has(error)) this.problem(`threw twice: ${error.message}`)
    this.#surfaced.add(error)
  }

  /** Errors may replace each other while they propagate, but not all be lost. */
  checkThrown() {
    if (this.#thrown > 0 && this.#surfaced.size === 0) this.problem('an exception was swallowed')
  }
}
