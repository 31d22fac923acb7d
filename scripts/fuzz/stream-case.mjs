// One random case in memory: wires that get the bytes of random peers, with users who do anything.
import { makeHostileInput } from '../../__test__/helpers/hostile-inputs.mjs'
import { inTurn } from '../../__test__/helpers/in-turn.mjs'
import { randomFrom } from '../../__test__/helpers/random.mjs'
import { clock } from '../../__test__/helpers/session-runner.mjs'
import { settled } from '../../__test__/helpers/wires.mjs'
import { Scene } from './scene.mjs'
import { Subject } from './subject.mjs'

/** Messages of a peer: more than are decoded or told at once. */
const MESSAGE_COUNTS = [8, 8, 40, 200]

/** Turns of the event loop in which the output must have been read, by the slowest reader. */
const MAX_TURNS = 500

/**
 * @param {number} seed
 * @param {Function} createWire
 * @returns {Promise<{problems: string[], trace: string[]}>}
 */
export async function runStreamCase(seed, createWire) {
  const random = randomFrom(seed, 'stream')
  const scene = new Scene(random)
  const surface = (error) => scene.surface(error)
  process.on('uncaughtException', surface)
  clock.install()
  try {
    for (const name of ['a', 'b', 'c'].slice(0, random.pick([1, 1, 2, 3]))) {
      scene.subjects.push(makeSubject(scene, createWire, random, name))
    }
    await play(scene, random)
    await end(scene, random)
  } finally {
    clock.restore()
    process.removeListener('uncaughtException', surface)
  }
  return scene
}

function makeSubject(scene, createWire, random, name) {
  const input = makeHostileInput(random.below(2 ** 32), random.pick(MESSAGE_COUNTS))
  scene.note(`${name} gets ${input.kind}, ${input.bytes.length} bytes cut at ${input.sizes}`)
  const uploadBacklog = random.pick([0, 1000, 30_000, 2 ** 20])
  return new Subject(scene, createWire, input, { name, random, uploadBacklog })
}

const STEPS = {
  receive: (scene, subject) => subject.receive((chunk) => subject.wire.write(chunk)),
  act: (scene, subject) => scene.act(subject),
  turn: () => settled(),
  advance: (scene, subject, random) => advance(scene, random.pick([1, 5, 10, 30]))
}

async function play(scene, random) {
  const count = random.between(3, 60)
  await inTurn(Array(count).keys(), async () => {
    const step = random.weighted({ receive: 6, act: 6, turn: 2, advance: 1 })
    await STEPS[step](scene, random.pick(scene.subjects), random)
  })
}

/** As in a process, all that is due at once comes before a timer. What a callback throws comes out. */
async function advance(scene, ms) {
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
    if (random.chance(0.8)) attempt(scene, () => subject.receiveAll())
    while (subject.wire.writableCorked > 0) attempt(scene, () => subject.wire.uncork())
  }
  await inTurn(Array(MAX_TURNS).keys(), async () => {
    for (const { reader } of subjects) attempt(scene, () => reader.drain())
    await settled()
    return subjects.every((subject) => subject.isAtRest)
  })
  for (const subject of subjects) subject.checkReaction()
  for (const subject of subjects) attempt(scene, () => subject.destroy())
  await inTurn(Array(MAX_TURNS).keys(), async () => {
    for (const { reader } of subjects) attempt(scene, () => reader.drain())
    await settled()
    return subjects.every((subject) => subject.isAtRest && subject.wire.readableEnded)
  })
  for (const subject of subjects) subject.checkEnd()
  if (clock.pending > 0) scene.problem(`${clock.pending} timers are left`)
  scene.checkThrown()
}

function attempt(scene, act) {
  try {
    act()
  } catch (error) {
    scene.surface(error)
  }
}
