// Rows about RC4 by the size of chunks: as streams and wires use it, and the loop alone. bittorrent-protocol does it in
// JavaScript, and with OpenSSL where a user loads its legacy provider.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { stopwatch } from '../drive.mjs'
import { agree, ENCRYPTING } from './agreements.mjs'

const LEGACY = '--openssl-legacy-provider'
const KEY = Buffer.alloc(20, 7)
const MIB = 1024 ** 2

export const rows = [
  ['1,448-byte', 1448],
  ['16 KiB', 16 * 1024],
  ['64 KiB', 64 * 1024]
].flatMap(([name, size]) => [
  row(`RC4 in ${name} chunks`, size, { usesOpenSsl: false }),
  row(`RC4 in ${name} chunks, OpenSSL`, size, {
    usesOpenSsl: true,
    runtimeArgs: [LEGACY],
    canRun: (program) => hasLegacyProvider(program)
  }),
  row(`RC4 in ${name} chunks, loop alone`, size, { isLoop: true, sides: ['ours'] })
])

function row(name, size, { usesOpenSsl, isLoop, sides = ENCRYPTING, ...rest }) {
  return {
    name,
    metrics: [{ key: 'rate', unit: 'MiB/s', isRate: true }],
    sides,
    ...rest,
    async prepare({ library, quick }) {
      const chunk = Buffer.from(Array.from({ length: size }, (_, at) => at & 0xff))
      const target = Buffer.alloc(size)
      const count = Math.ceil((quick ? 4e6 : 64e6) / size)
      return { chunk, target, ends: await agree(library), count }
    },
    run(_, { chunk, target, ends, count }) {
      const deciphered = Buffer.from(ends.decrypt(ends.encrypt(chunk)))
      const act = isLoop ? () => ends.apply(chunk, target) : () => ends.encrypt(chunk)
      const elapsed = stopwatch()
      for (let n = 0; n < count; n++) act()
      const seconds = elapsed()
      // The other end keeps in step.
      for (let n = 0; n < count; n++) ends.decrypt(chunk)
      return { values: { rate: (count * size) / MIB / seconds }, deciphered }
    },
    check({ deciphered }, { chunk }) {
      assert.ok(deciphered.equals(chunk))
      if (usesOpenSsl !== undefined) assert.equal(hasRc4(), usesOpenSsl, 'RC4 of OpenSSL')
    }
  }
}

/** Whether bittorrent-protocol finds it in this process. */
function hasRc4() {
  try {
    createCipheriv('rc4', KEY, '')
    return true
  } catch {
    return false
  }
}

function hasLegacyProvider(program) {
  const code = "require('crypto').createCipheriv('rc4', Buffer.alloc(20), '')"
  return spawnSync(program, [LEGACY, '-e', code]).status === 0
}
