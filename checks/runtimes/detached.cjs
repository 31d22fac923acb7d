// Calls the addon with invalid memory, as the package itself never does: each call throws, and the wires
// of the process keep working.
'use strict'

const assert = require('node:assert')
const { readFileSync } = require('node:fs')
const path = require('node:path')
const pwp = require('peer-wire-protocol')
const { transfer } = require('./transfer.cjs')

const folder = path.dirname(require.resolve('peer-wire-protocol/package.json'))
const addon = require(path.join(folder, 'native.js'))

const { byteLength } = addon.memoryLayout()

/** The entries are the functions that native.d.ts does not declare, be it as functions or as classes. */
const declarations = readFileSync(path.join(folder, 'native.d.ts'), 'utf8')
const entries = Object.keys(addon).filter(
  (name) =>
    typeof addon[name] === 'function' &&
    !declarations.includes(`function ${name}(`) &&
    !declarations.includes(`class ${name} `)
)

const MEMORIES = {
  nothing: () => undefined,
  'too short': () => new ArrayBuffer(byteLength - 1),
  'detached by structuredClone': () => {
    const memory = new ArrayBuffer(byteLength)
    structuredClone(memory, { transfer: [memory] })
    return memory
  },
  'detached by transfer()': () => {
    const memory = new ArrayBuffer(byteLength)
    memory.transfer?.()
    return memory.transfer ? memory : new ArrayBuffer(0)
  },
  shrunk: () => {
    const memory = new ArrayBuffer(byteLength, { maxByteLength: byteLength })
    memory.resize?.(8)
    return memory.resize ? memory : new ArrayBuffer(8)
  },
  'a view': () => new Uint8Array(byteLength)
}

function checkMemories() {
  assert(entries.length > 15, `${entries}`)
  for (const [title, make] of Object.entries(MEMORIES)) {
    for (const name of entries) {
      assert.throws(() => addon[name](make(), Buffer.alloc(64)), `${name}, ${title}`)
    }
  }
}

/** If numbers and a Buffer shared memory, it would be written through both at once. */
function checkOverlap() {
  const memory = new ArrayBuffer(byteLength)
  const { start } = addon.memoryLayout().numbers
  const slot = addon.create(memory)
  new Uint32Array(memory, start, 1)[0] = slot
  for (const from of [0, 100, byteLength - 1]) {
    const view = Buffer.from(memory, from)
    assert.throws(() => addon.poll(memory, view), /border/)
    assert.throws(() => addon.readStats(memory, view), /border/)
  }
  addon.release(memory)
}

checkMemories()
checkOverlap()
transfer(pwp).then(() => console.log('ok'))
