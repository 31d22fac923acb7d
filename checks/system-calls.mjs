// Counts the system calls per 16 KiB block in the TCP rows of the benchmarks, with strace on Linux.
//
// Each side runs with few blocks and with many; the difference excludes startup and exit. The peer is not
// counted: strace detaches from a process that executes a program of its own. Because strace slows the side
// down, more input is queued for it at a time and it makes fewer calls. So there is also a run without
// strace, of which Linux counts only reads and writes.
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { rows } from '../benches/node/workloads/tcp.mjs'
import { inOrder, ROOT, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { markdownTable } from '../testkit/processes/markdown.mjs'

const [FEW, MANY] = [8_192, 40_960] // blocks
const COLUMNS = {
  'reads, free': ['syscr'],
  'writes, free': ['syscw'],
  read: ['read', 'readv', 'recvfrom', 'recvmsg'],
  write: ['write', 'sendto'],
  writev: ['writev', 'sendmsg'],
  epoll: ['epoll_ctl', 'epoll_pwait', 'epoll_pwait2', 'epoll_wait'],
  memory: ['brk', 'madvise', 'mmap', 'mprotect', 'mremap', 'munmap'],
  futex: ['futex'],
  'all, traced': ['total']
}

/** @returns {Promise<number[]>} calls per block, for each of COLUMNS */
async function measure(row, side, folder) {
  const few = await count(row, side, FEW, folder)
  const many = await count(row, side, MANY, folder)
  const ofName = (name) => (many.get(name) ?? 0) - (few.get(name) ?? 0)
  return Object.values(COLUMNS).map((names) => {
    const calls = names.map(ofName).reduce((sum, more) => sum + more)
    return calls / (MANY - FEW)
  })
}

/** Calls by name, from two runs, one of them with strace. */
async function count(row, side, blocks, folder) {
  const summary = path.join(folder, 'summary')
  const strace = ['-f', '-b', 'execve', '-c', '-U', 'calls,name', '-o', summary]
  const sample = ['benches/node/sample.mjs', row.name, side, String(blocks)]
  const free = await run(process.execPath, sample, { cwd: ROOT })
  await run('strace', [...strace, process.execPath, ...sample], { cwd: ROOT })
  const traced = await readFile(summary, 'utf8')
  return new Map([
    ...[...free.matchAll(/^(\w+): (\d+)$/gm)].map(([, name, calls]) => [name, Number(calls)]),
    ...[...traced.matchAll(/^ *(\d+) +(\w+)$/gm)].map(([, calls, name]) => [name, Number(calls)])
  ])
}

/** As Markdown. Startup and exit differ by a few calls, so negative differences are shown as zero. */
function table(results) {
  const titles = ['row', 'side', ...Object.keys(COLUMNS)]
  const lines = results.map(({ row, side, calls }) => {
    const numbers = calls.map((perBlock) => Math.max(0, perBlock).toFixed(2))
    return [row.name, side, ...numbers]
  })
  return markdownTable(titles, lines, 2)
}

async function main() {
  if (spawnSync('strace', ['--version']).error) {
    console.error('strace is missing: install it (on Debian: apt-get install strace)')
    process.exitCode = 2
    return
  }
  const results = []
  await withFolder((folder) =>
    inOrder(rows, (row) =>
      inOrder(row.sides, async (side) => {
        results.push({ row, side, calls: await measure(row, side, folder) })
      })
    )
  )
  console.log(`System calls per block, Node ${process.version}\n\n${table(results)}`)
}

await start(main)
