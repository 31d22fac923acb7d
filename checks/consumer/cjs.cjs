// Uses the package from CommonJS, making wires in every supported way.
'use strict'

const assert = require('node:assert')
const { Duplex } = require('node:stream')
const util = require('node:util')
const pwp = require('peer-wire-protocol')
const { transfer } = require('./transfer.cjs')

class Extended extends pwp {
  constructor(options) {
    super(options)
    this.field = 1
  }
}

function Inherited(options) {
  pwp.call(this, options)
  this.field = 1
}
util.inherits(Inherited, pwp)

const makers = [
  () => pwp(),
  () => pwp({ speed: 2 }),
  // oxlint-disable-next-line new-cap
  () => new pwp(),
  () => new pwp.Wire(),
  () => new Extended(),
  () => new Inherited()
]

async function main() {
  await Promise.all(makers.map(use))
  assert.strictEqual(new Extended().field, 1)
  assert(new pwp.ProtocolError('ERR_PWP_INTERNAL', 'text') instanceof Error)
  await transferBetweenNames()
  checkOtherClass()
}

/** The class of bittorrent-protocol is a part of the package. */
function checkOtherClass() {
  const BittorrentWire = require('peer-wire-protocol/bittorrent-protocol')
  assert.strictEqual(BittorrentWire.Wire, BittorrentWire)
  assert(new BittorrentWire() instanceof Duplex)
}

async function use(make) {
  const wire = make()
  assert(wire instanceof pwp && wire instanceof Duplex)
  wire.destroy()
  await transfer(make)
}

/** The alias and the package's own name are two copies in one process, and talk to each other. */
async function transferBetweenNames() {
  const other = require('peer-wire-native')
  assert.notStrictEqual(other, pwp)
  await transfer(pwp, other)
  await transfer(other, pwp)
}

main()
