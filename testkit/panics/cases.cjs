// Panics in the addon, which a fuse makes (src/binding/fuse.rs), one case per process: it ends with
// code 0 when the wires that broke have told so, and everything else goes on.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { Worker } = require('node:worker_threads')
const pwp = require('../..')
const { lightFuse } = require('../../native.js')
const { makeUnchoked, transfer } = require('../transfer.cjs')
const { meet, watch } = require('./session.cjs')

const HAVE = Buffer.from('000000050400000007', 'hex')

const CASES = {
  async entry() {
    const wire = watch(makeUnchoked(pwp))
    wire.ask(3)
    lightFuse(1)
    wire.write(HAVE)
    await wire.checkBroken()
  },
  async command() {
    const wire = watch(makeUnchoked(pwp))
    wire.ask(1)
    lightFuse(1)
    wire.ask(2)
    assert.strictEqual(wire.error, null, 'no event comes out of a command')
    await wire.checkBroken()
  },
  async 'two wires'() {
    const wires = [watch(makeUnchoked(pwp)), watch(makeUnchoked(pwp))]
    for (const wire of wires) {
      wire.ask(1)
      lightFuse(1)
      wire.write(HAVE)
    }
    await Promise.all(wires.map((wire) => wire.checkBroken()))
  },
  async quiet() {
    const wire = makeUnchoked(pwp)
    lightFuse(1)
    wire.write(HAVE)
    assert.strictEqual(wire.error.code, 'ERR_PWP_INTERNAL')
  },
  async constructor() {
    const bystander = pwp()
    lightFuse(1)
    assert.throws(pwp, { code: 'ERR_PWP_INTERNAL' })
    bystander.write(HAVE)
    assert.notStrictEqual(bystander.error?.code, 'ERR_PWP_INTERNAL')
  },
  everywhere: panicEverywhere,
  async threads() {
    const workers = [1, 2].map(() => new Worker(__filename, { argv: ['everywhere'] }))
    const ends = workers.map((worker) => once(worker, 'exit'))
    await panicEverywhere()
    assert.deepStrictEqual(await Promise.all(ends), [[0], [0]])
  }
}

/** Lets a whole session panic at its first piece of work, then at its second, until none is left. */
async function panicEverywhere() {
  const bystander = makeUnchoked(pwp)
  let panics = 0
  for (;;) {
    lightFuse(panics + 1)
    // oxlint-disable-next-line no-await-in-loop
    await meet(pwp)
    if (lightFuse(0) > 0) break
    panics++
  }
  assert.strictEqual(bystander.error, null)
  bystander.have(7)
  assert(bystander.read().equals(HAVE))
  console.log(`${panics} panics`)
}

async function main([, , name]) {
  await CASES[name]()
  await transfer(pwp)
  // A panic may keep the slot that it hit, in the entry that releases it.
  // The place of a slot is in its lower bits, see src/binding/table.rs.
  assert((pwp()._getSession().core.slot & 0x1fffff) < 8, 'slots are given back')
  console.log('done')
}

main(process.argv)
