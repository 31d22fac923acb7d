// What a process has computed, with all its threads and on the thread of its event loop.

import { readFileSync } from 'node:fs'

/** @returns {() => {cpu: number, loop: number}} ms since this call */
export const startClocks = () => {
  const begin = read()
  return () => {
    const end = read()
    return { cpu: end.cpu - begin.cpu, loop: end.loop - begin.loop }
  }
}

const read = () => ({ cpu: toMs(process.cpuUsage()), loop: readLoop() })

const toMs = ({ user, system }) => (user + system) / 1000

/** Releases of Node before 24 leave it to Linux. */
const readLoop = () =>
  process.threadCpuUsage
    ? toMs(process.threadCpuUsage())
    : Number.parseInt(readFileSync('/proc/thread-self/schedstat'), 10) / 1e6
