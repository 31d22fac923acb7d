// Uses the package inside an ava test.
import test from 'ava'
import pwp, { Wire } from 'peer-wire-protocol'
import { transfer } from './transfer.cjs'

test('a wire transfers', async (t) => {
  t.true((await transfer(() => pwp())) > 0)
})

test('a subclass transfers', async (t) => {
  t.true((await transfer(() => new (class extends Wire {})())) > 0)
})
