// Loads the package twice, the second time from a copy of it or with the require cache cleared,
// and lets wires of both talk to each other.
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
  // What was made before the second load goes on as well.
  early.have(7)
  assert.strictEqual(early.read().toString('hex'), '000000050400000007')
}

main(process.argv)
