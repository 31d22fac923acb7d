// The samples of docs/api.md and docs/encryption.md that are programs of their own, run as written.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const API = readFileSync(new URL('../docs/api.md', import.meta.url), 'utf8')

/** What the samples of a section print, by their place. */
const PRINTED = {
  'Extension protocol': ['received hello\nreceived hello\n']
}

for (const [title, outputs] of Object.entries(PRINTED)) {
  test(`the samples of '${title}' run`, async (t) => {
    const [, section] = API.split(`\n## ${title}\n`)
    const [text] = section.split('\n## ')
    const samples = [...text.matchAll(/```js\n(.+?)```/gs)].map(([, code]) => code)
    t.is(samples.length, outputs.length)
    const runs = samples.map((code) =>
      promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
    )
    const results = await Promise.all(runs)
    t.deepEqual(
      results.map(({ stdout }) => stdout),
      outputs
    )
  })
}

test('the first sample of docs/encryption.md runs', async (t) => {
  const text = readFileSync(new URL('../docs/encryption.md', import.meta.url), 'utf8')
  const [, code] = /```js\n(.+?)```/s.exec(text)
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
  t.is(stdout, 'handshake, rc4\nhandshake, rc4\n')
})
