// Where a runtime allows no memory of others, as Electron, the bytes of native wires are copied; and copies of
// the package that share one addon share its records.
import { createRequire } from 'node:module'
import test from 'ava'
import { loadCopy } from '../testkit/memory/copies.mjs'

const require = createRequire(import.meta.url)
const pwp = require('../index.js')
const { native } = require('../lib/transport/native.js')
const { transferNatively } = require('../testkit/native-transfer.cjs')

/** Transfers with slabs that JavaScript has only as this makes of them; returns what was copied. */
async function withSlabs(change, options) {
  const { takeSlab, copySlab } = native
  let copied = 0
  native.takeSlab = (number) => change(takeSlab(number))
  native.copySlab = (number, start, buffer) => {
    copied += buffer.length
    copySlab(number, start, buffer)
  }
  try {
    await transferNatively(pwp, options)
  } finally {
    Object.assign(native, { takeSlab, copySlab })
  }
  return copied
}

const BYTES = 128 * 16 * 1024

test.serial('a slab that JavaScript may not have is copied', async (t) => {
  t.true((await withSlabs(() => null)) > BYTES)
})

test.serial('so are the bytes of an encrypted wire', async (t) => {
  t.true((await withSlabs(() => null, { isEncrypted: true })) > BYTES)
})

test.serial('a slab that was detached before all of it was read is copied', async (t) => {
  const copied = await withSlabs(detach)
  // Node 20 cannot.
  t.is(copied > BYTES, typeof ArrayBuffer.prototype.transfer === 'function')
})

function detach(slab) {
  slab.transfer?.()
  return slab
}

test.serial('a slab that nobody detaches is not copied', async (t) => {
  // The slab that earlier tests began is copied to its end.
  await transferNatively(pwp)
  t.is(await withSlabs((slab) => slab), 0)
})

test.serial('copies of the package that share an addon transfer at the same time', async (t) => {
  const copy = loadCopy()
  t.not(copy, pwp)
  await Promise.all([transferNatively(copy), transferNatively(pwp), transferNatively(copy)])
  t.pass()
})
