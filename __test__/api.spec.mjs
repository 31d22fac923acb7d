// The samples of docs/api.md, docs/encryption.md and docs/transport.md that are programs of their own, run as written.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const API = readFileSync(new URL('../docs/api.md', import.meta.url), 'utf8')

/** What the samples of a section print, by their place. */
const PRINTED = {
  'Extension protocol': ['received hello\nreceived hello\n'],
  'Peer exchange': ['connect to 10.0.0.1:6881 true\n'],
  Requests: ['40000 bytes\n'],
  'Waiting for events': [`torrent ${'0'.repeat(40)}\npiece 3\n`],
  Metadata: ['d6:lengthi5e4:name5:hello12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae\n']
}

for (const [title, outputs] of Object.entries(PRINTED)) {
  test(`the samples of '${title}' run`, async (t) => {
    const [, section] = API.split(`\n## ${title}\n`)
    const [text] = section.split('\n## ')
    const all = [...text.matchAll(/```js\n(.+?)```/gs)].map(([, code]) => code)
    // Those that are not programs go on with one that is.
    const samples = all.filter((code) => code.includes('require('))
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

test('the sample of docs/transport.md runs', async (t) => {
  const text = readFileSync(new URL('../docs/transport.md', import.meta.url), 'utf8')
  const [, code] = text.match(/```js\n(.+?)```/s)
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
  t.is(stdout, '16384 bytes by a native socket\n')
})

for (const [place, expected] of [
  [0, 'handshake, rc4\nhandshake, rc4\n'],
  [2, 'encryption, rc4\n']
]) {
  test(`sample ${place} of docs/encryption.md runs`, async (t) => {
    const text = readFileSync(new URL('../docs/encryption.md', import.meta.url), 'utf8')
    const [, code] = [...text.matchAll(/```js\n(.+?)```/gs)][place]
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], { cwd: ROOT })
    t.is(stdout, expected)
  })
}
