// Rows about webtorrent with this package by npm overrides, and as it is: transfers between two clients over loopback,
// and encrypted connections. The measured client is a process of its own, which counts from when the other one connects.
import assert from 'node:assert/strict'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installProject } from '../../../testkit/webtorrent/install.mjs'
import { startProgram } from '../../../testkit/webtorrent/program.mjs'
import { placed } from '../place.mjs'
import { CLASS_WAYS } from './class.mjs'

const PROJECT = fileURLToPath(new URL('../../../testkit/webtorrent/project', import.meta.url))
const CALLERS = fileURLToPath(new URL('../peers/callers.mjs', import.meta.url))
const MEBI = 1024 ** 2

/** What both ways have at the far end. */
const OTHER = 'ours'

/** What is measured is a process of its own, each time. */
const COMMON = { group: 'class', ways: CLASS_WAYS, warmups: 0, rounds: 5 }

export const rows = [
  transferRow('download', 'plain', 0),
  transferRow('download', 'encrypted', 2),
  transferRow('upload', 'plain', 0),
  transferRow('upload', 'encrypted', 2),
  {
    ...COMMON,
    name: 'webtorrent, 100 encrypted connections',
    metrics: [
      { key: 'cpu', part: 'CPU', unit: 'ms' },
      { key: 'loop', part: 'event loop', unit: 'ms' }
    ],
    async prepare({ way, quick }) {
      return { measured: await projectOf(way), connections: quick ? 10 : 100 }
    },
    run: acceptCallers,
    check({ agreed }, { connections }) {
      assert.equal(agreed, connections, 'handshakes that callers got')
    }
  }
]

function transferRow(direction, title, level) {
  return {
    ...COMMON,
    name: `webtorrent, ${title} ${direction}`,
    metrics: [
      { key: 'cpu', part: 'CPU', unit: 'ms/GB' },
      { key: 'loop', part: 'event loop', unit: 'ms/GB' }
    ],
    async prepare({ way, quick }) {
      const [measured, other] = [await projectOf(way), await projectOf(OTHER)]
      return { measured, other, direction, level, size: (quick ? 16 : 256) * MEBI }
    },
    run: transfer,
    check({ bytes }, { size }) {
      assert.equal(bytes, size, 'bytes transferred')
    }
  }
}

const projectOf = (way) => installProject(PROJECT, way === 'ours' ? 'ours' : 'original')

async function transfer(context, { measured, other, direction, level, size }) {
  const isDownload = direction === 'download'
  const far = placed(process.execPath, 'far end')
  const [here, there] = [
    { cwd: measured, execPath: process.execPath, execArgv: [] },
    { cwd: other, ...far }
  ]
  const seed = startProgram(['give.mjs', size, level], isDownload ? there : here)
  try {
    const { magnet } = await seed.line()
    const leech = startProgram(['take.mjs', magnet, level], isDownload ? here : there)
    const taken = await leech.line().finally(leech.stop)
    const given = await seed.line()
    const { bytes, cpu, loop } = isDownload ? taken : given
    return { bytes, values: { cpu: (cpu * 1e9) / size, loop: (loop * 1e9) / size } }
  } finally {
    await seed.stop()
  }
}

async function acceptCallers(context, { measured, connections }) {
  const here = { cwd: measured, execPath: process.execPath, execArgv: [] }
  const client = startProgram(['accept.mjs', connections], here)
  try {
    const { port, infoHash } = await client.line()
    const far = { cwd: path.dirname(CALLERS), ...placed(process.execPath, 'far end') }
    const callers = startProgram([CALLERS, port, infoHash, connections], far)
    const { cpu, loop } = await client.line()
    const { agreed } = await callers.line().finally(callers.stop)
    return { agreed, values: { cpu, loop } }
  } finally {
    await client.stop()
  }
}
