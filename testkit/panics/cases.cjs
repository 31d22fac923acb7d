// Panics in the addon, caused by a fuse (src/binding/fuse.rs), one case per process: it exits with code 0
// if the broken wires report an error and everything else keeps working.
'use strict'

const assert = require('node:assert')
const { once } = require('node:events')
const { Worker } = require('node:worker_threads')
const pwp = require('../..')
const { lightFuse } = require('../../native.js')
const { makeUnchoked, transfer } = require('../transfer.cjs')
const { meetEncrypted } = require('./encrypted.cjs')
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
    assert.strictEqual(wire.error, null, 'a command emits no event')
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
  everywhere: () => panicEverywhere(),
  'wires with encryption': () =>
    panicEverywhere([
      { encryption: { role: 'initiator' } },
      { encryption: { role: 'responder', infoHashes: async () => Buffer.alloc(20, 1) } }
    ]),
  async encryption() {
    let panics = 0
    for (;;) {
      lightFuse(panics + 1)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const errors = await meetEncrypted(pwp)
      if (lightFuse(0) > 0) break
      panics++
      const codes = errors.map((error) => error?.code).filter(Boolean)
      // A panic when a slot is released is nobody's business; any other ends the stream it was for.
      const isKnown = codes.length === 0 || codes.includes('ERR_PWP_INTERNAL')
      assert(isKnown, codes.join())
    }
    console.log(`${panics} panics`)
  },
  async threads() {
    const workers = [1, 2].map(() => new Worker(__filename, { argv: ['everywhere'] }))
    const ends = workers.map((worker) => once(worker, 'exit'))
    await panicEverywhere()
    assert.deepStrictEqual(await Promise.all(ends), [[0], [0]])
  }
}

/**
 * Makes a whole session panic at its first unit of work, then at its second, until none is left.
 *
 * @param {object[]} [options] - of both wires
 */
async function panicEverywhere(options) {
  const bystander = makeUnchoked(pwp)
  let panics = 0
  for (;;) {
    lightFuse(panics + 1)
    // oxlint-disable-next-line no-await-in-loop
    await meet(pwp, options)
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
  // A panic in the entry that releases a slot may leak that slot.
  // The lower bits of a slot are its index, see src/binding/table.rs.
  assert((pwp()._getSession().core.slot & 0x1fffff) < 8, 'slots are released')
  console.log('done')
}

main(process.argv)
