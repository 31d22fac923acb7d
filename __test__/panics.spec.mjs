// A panic in the addon ends its wire with ERR_PWP_INTERNAL, and nothing else. The addon of these tests
// has a fuse, see src/binding/fuse.rs. Each case has a process of its own, which a panic might end.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'ava'
import { ROOT, capture, npm } from '../testkit/processes/command.mjs'

const CASES = path.join(ROOT, 'testkit', 'panics', 'cases.cjs')
const FOLDER = path.join(ROOT, 'target', 'fuse')

let addon

test.before('build an addon with a fuse', async (t) => {
  t.timeout(10 * 60 * 1000)
  addon = process.env.NAPI_RS_NATIVE_LIBRARY_PATH ?? (await build())
})

test('the published addon has no fuse', (t) => {
  t.is(
    createRequire(import.meta.url)('../native.js').lightFuse === undefined,
    addon.startsWith(FOLDER)
  )
})

for (const [name, panics, title] of [
  ['entry', 1, 'a panic in an entry closes the wire and fails its requests, once each'],
  ['command', 1, 'a panic in a queued command closes the wire without input from the peer'],
  ['two wires', 2, 'panics in two wires close both'],
  ['quiet', 1, "a panic closes a wire without an 'error' listener quietly"],
  ['constructor', 1, 'a panic in the constructor is thrown'],
  ['everywhere', 50, 'a panic anywhere in a session ends it, and no other session'],
  ['wires with encryption', 60, 'a panic anywhere in a session with encryption ends it'],
  ['encryption', 20, 'a panic anywhere in encrypted streams ends them, and throws nothing'],
  ['threads', 150, 'panics in several threads are independent of each other']
]) {
  test(title, async (t) => {
    const env = { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: addon, RUST_BACKTRACE: '0' }
    const { code, output } = await capture(process.execPath, [CASES, name], { env })
    t.is(code, 0, output)
    t.regex(output, /^done$/m)
    // One message each, with its place in our source.
    const messages = output.match(/panicked at src.binding.fuse\.rs/g).length
    if (panics < 20) t.is(messages, panics)
    else t.true(messages >= panics, output)
  })
}

/** @returns {Promise<string>} path of the addon */
async function build() {
  const options = ['--platform', '--features', 'fuse', '--output-dir', FOLDER]
  await npm(['exec', '--', 'napi', 'build', ...options], { cwd: ROOT })
  const name = readdirSync(FOLDER).find((file) => file.endsWith('.node'))
  return path.join(FOLDER, name)
}
