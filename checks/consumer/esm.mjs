// Uses the package from an ES module, by its default and its named exports.
import assert from 'node:assert'
import pwp, { ProtocolError, Wire } from 'peer-wire-protocol'
import BittorrentWire, { Wire as SameWire } from 'peer-wire-protocol/bittorrent-protocol'
import { transfer } from './transfer.cjs'

assert.strictEqual(Wire, pwp)
assert.strictEqual(SameWire, BittorrentWire)
assert.notStrictEqual(SameWire, Wire)
assert(new ProtocolError('ERR_PWP_INTERNAL', 'text') instanceof Error)
await transfer(() => pwp())
await transfer(() => new Wire({ speed: 2 }))
await transfer(() => new (class extends Wire {})())
