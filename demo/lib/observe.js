// Loaded before an example: reports its connection to the demo, and exits with the demo.
'use strict'

const { subscribe } = require('node:diagnostics_channel')
const { readFileSync } = require('node:fs')

/** The package publishes the handshake of a peer on this channel; the example is not involved. */
subscribe('peer-wire-native:handshake', ({ wire }) => {
  const start = { cpu: process.cpuUsage(), loop: loopTime(), time: performance.now() }
  const reportProgress = () =>
    report('progress', { bytes: wire.downloaded, speed: wire.downloadSpeed() })
  const timer = setInterval(reportProgress, 100)
  wire.on('close', () => {
    clearInterval(timer)
    reportProgress()
    const { user, system } = process.cpuUsage(start.cpu)
    const seconds = (performance.now() - start.time) / 1000
    report('closed', { seconds, cpu: (user + system) / 1e6, loop: loopTime() - start.loop })
  })
})

/** Seconds that this thread, which runs the event loop, has computed; NaN where the system does not say. */
function loopTime() {
  if (process.threadCpuUsage) {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1e6
  }
  try {
    // Node before 24 has no other way.
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'latin1'), 10) / 1e9
  } catch {
    return Number.NaN
  }
}

function report(type, fields) {
  process.send({ type, ...fields }, ignoreGoneParent)
}

function ignoreGoneParent() {}

process.on('disconnect', () => process.exit())
process.channel.unref()
