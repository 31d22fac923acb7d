// One random case in memory: wires that receive the bytes of random peers, with users who call anything.
import { inspect } from 'node:util'
import { collectGarbage } from '../../testkit/memory/garbage.mjs'
import { EXTENSION_NAMES } from '../../testkit/hostile/extended-messages.mjs'
import { makeHostileInput } from '../../testkit/hostile/inputs.mjs'
import { inTurn } from '../../testkit/in-turn.mjs'
import { PROXIES } from '../../testkit/memory/proxies.mjs'
import { randomFrom } from '../../testkit/random.mjs'
import { clock } from '../../testkit/sessions/session-runner.mjs'
import { settled } from '../../testkit/wires.mjs'
import { drawOptions } from './options.mjs'
import { Scene } from './scene.mjs'
import { Subject } from './subject.mjs'

/** Messages of a peer: more than are decoded or delivered at once. */
const MESSAGE_COUNTS = [8, 8, 40, 200]

/** Turns of the event loop within which even the slowest reader must have read the output. */
const MAX_TURNS = 500

/**
 * How a wire is made and used.
 *
 * @typedef {object} Setup
 * @property {string} name
 * @property {Function} createWire
 * @property {(wire: object) => object} front makes the object that the user calls: a proxy or the wire
 * @property {boolean} mayPipe
 * @property {import('../../testkit/hostile/inputs.mjs').HostileInput} input
 * @property {object} options
 * @property {boolean} setsPieces whether `setPieces()` replaces the option `pieces`
 * @property {{name: string, at: string | null}[]} uses extensions, with the event in whose listener each
 *   is used; null: before
 * @property {string | null} greetsAt the event in whose listener the extension is asked for; null: before
 */

/**
 * @param {number} seed
 * @param {Function[]} copies of the package, each of which makes wires
 * @returns {Promise<{problems: string[], trace: string[]}>}
 */
export async function runStreamCase(seed, copies) {
  const random = randomFrom(seed, 'stream')
  const scene = new Scene(random)
  const surface = (error) => scene.surface(error)
  process.on('uncaughtException', surface)
  clock.install()
  try {
    for (const name of ['a', 'b', 'c'].slice(0, random.pick([1, 1, 2, 3]))) {
      const subject = new Subject(scene, drawSetup(scene, copies, random, name), random)
      scene.subjects.push(subject)
      subject.start()
    }
    await play(scene, random)
    await end(scene, random)
  } finally {
    clock.restore()
    process.removeListener('uncaughtException', surface)
  }
  // Leftovers of these wires must not affect those of later cases.
  if (random.chance(0.02)) collectGarbage()
  return scene
}

function drawSetup(scene, copies, random, name) {
  const input = makeHostileInput(random.below(2 ** 32), random.pick(MESSAGE_COUNTS))
  const createWire = random.pick(copies)
  const kind = random.chance(0.3) ? random.pick(Object.keys(PROXIES)) : 'the wire itself'
  const options = drawOptions(random)
  const setsPieces = options.pieces > 0 && random.chance(0.3)
  const greetsAt = input.asksForFast ? random.pick([null, null, 'info-hash', 'handshake']) : null
  scene.note(`${name} gets ${input.kind}, ${input.bytes.length} bytes cut at ${input.sizes}`)
  scene.note(`${name} is ${kind}, of copy ${copies.indexOf(createWire)}, ${inspect(options)}`)
  const front = PROXIES[kind] ?? ((wire) => wire)
  // A plain Node stream does not find its pipes through such a proxy either.
  const mayPipe = kind !== 'a reactive proxy'
  scene.note(
    `${name} asks for fast: ${input.asksForFast}, at ${greetsAt}; sets pieces: ${setsPieces}`
  )
  const uses = input.isExtended || random.chance(0.1) ? drawUses(random) : []
  scene.note(`${name} uses ${uses.map(({ name: used, at }) => `${used} at ${at}`)}`)
  return { name, createWire, front, mayPipe, input, options, setsPieces, greetsAt, uses }
}

/** Extensions that are used until the handshake is there; others are used later, or never. */
function drawUses(random) {
  return random.times(random.pick([0, 1, 1, 2, 3]), () => ({
    name: random.pick(EXTENSION_NAMES),
    at: random.pick([null, null, 'info-hash', 'handshake'])
  }))
}

const STEPS = {
  receive(scene, subject) {
    scene.note(`${subject.name} receives`)
    subject.receive((chunk) => subject.wire.write(chunk))
  },
  act: (scene, subject) => scene.act(subject),
  // Once its input is read, taking its memory away must do no harm.
  lose: (scene, subject) => subject.loseInput(),
  turn: () => settled(),
  advance: (scene, subject, random) => advance(scene, random.pick([1, 5, 10, 30]))
}

async function play(scene, random) {
  const count = random.between(3, 60)
  await inTurn(Array(count).keys(), async () => {
    const step = random.weighted({ receive: 6, act: 6, lose: 2, turn: 2, advance: 2 })
    await STEPS[step](scene, random.pick(scene.subjects), random)
  })
}

/** As in a process, immediate work runs before timers. Errors thrown by a callback propagate. */
async function advance(scene, ms) {
  scene.note(`${ms} ms pass`)
  await settled()
  try {
    await clock.advance(ms, settled)
  } catch (error) {
    scene.surface(error)
  }
}

async function end(scene, random) {
  const { subjects } = scene
  for (const subject of subjects) {
    if (random.chance(0.8)) scene.attempt(() => subject.receiveAll())
  }
  await inTurn(Array(MAX_TURNS).keys(), async () => {
    for (const subject of subjects) drain(scene, subject)
    await settled()
    return subjects.every((subject) => subject.isAtRest)
  })
  for (const subject of subjects) subject.checkReaction()
  for (const subject of subjects) scene.attempt(() => subject.destroy())
  await inTurn(Array(MAX_TURNS).keys(), async () => {
    for (const subject of subjects) drain(scene, subject)
    await settled()
    return subjects.every((subject) => subject.isAtRest && subject.wire.readableEnded)
  })
  for (const subject of subjects) subject.checkEnd()
  if (clock.pending > 0) scene.problem(`${clock.pending} timers are left`)
  scene.checkThrown()
}

/** A reader may have corked the wire again. */
function drain(scene, subject) {
  while (subject.wire.writableCorked > 0) scene.attempt(() => subject.uncork())
  scene.attempt(() => subject.reader.drain())
}
