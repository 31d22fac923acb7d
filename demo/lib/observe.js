// Loaded before an example: reports its connection to the demo, and exits with the demo.
'use strict'

const { subscribe } = require('node:diagnostics_channel')

/** The package publishes the handshake of a peer on this channel; the example is not involved. */
subscribe('peer-wire-native:handshake', ({ wire }) => {
  const start = { cpu: process.cpuUsage(), time: performance.now() }
  const reportProgress = () =>
    report('progress', { bytes: wire.downloaded, speed: wire.downloadSpeed() })
  const timer = setInterval(reportProgress, 100)
  wire.on('close', () => {
    clearInterval(timer)
    reportProgress()
    const { user, system } = process.cpuUsage(start.cpu)
    const seconds = (performance.now() - start.time) / 1000
    report('closed', { seconds, cpu: (user + system) / 1e6 })
  })
})

function report(type, fields) {
  process.send({ type, ...fields }, ignoreGoneParent)
}

function ignoreGoneParent() {}

process.on('disconnect', () => process.exit())
process.channel.unref()
