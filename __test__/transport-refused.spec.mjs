// What the system refuses to native sockets: descriptors and rights. Codes and texts are those of Node.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const SCRIPT = fileURLToPath(new URL('../testkit/processes/refused-by-system.cjs', import.meta.url))
const COMMAND = 'ulimit -n 64 && exec "$0" "$1"'

const declare = process.platform === 'win32' ? test.skip : test

declare('a lack of descriptors or rights is an error, and a server goes on', async (t) => {
  const { stdout } = await promisify(execFile)('sh', ['-c', COMMAND, process.execPath, SCRIPT])
  const { outOfDescriptors, withoutRights } = JSON.parse(stdout)
  const { dialed, accepting, wasListening, isConnected } = outOfDescriptors
  t.like(dialed, { code: 'EMFILE', syscall: 'connect', address: '127.0.0.1' })
  t.like(accepting, { code: 'EMFILE', syscall: 'accept' })
  t.true(wasListening)
  t.true(isConnected)
  const [ofNode, native] = withoutRights
  t.deepEqual(native, ofNode)
  // A system may let everyone listen at this port.
  if (ofNode !== null) t.is(ofNode.code, 'EACCES')
})
