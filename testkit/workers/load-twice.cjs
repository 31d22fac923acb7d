// Loads the package twice, the second time from a copy of it or with the require cache cleared,
// and connects wires of both.
'use strict'

const assert = require('node:assert')
const { transfer } = require('../transfer.cjs')

async function main([, , copy = '../..']) {
  const first = require('../..')
  const early = first()
  for (const file of Object.keys(require.cache)) delete require.cache[file]
  const second = require(copy)
  assert.notStrictEqual(first, second)
  await transfer(first, second)
  await transfer(second, first)
  // Wires made before the second load keep working too.
  early.have(7)
  assert.strictEqual(early.read().toString('hex'), '000000050400000007')
}

main(process.argv)
