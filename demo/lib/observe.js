// Loaded before an example: tells the demo what its connection does, and ends together with the demo.
'use strict'

const { subscribe } = require('node:diagnostics_channel')

/** The package says on this channel when a peer has shaken hands; the example knows of nothing. */
subscribe('peer-wire-native:handshake', ({ wire }) => {
  const start = { cpu: process.cpuUsage(), time: performance.now() }
  const tell = () => report('progress', { bytes: wire.downloaded, speed: wire.downloadSpeed() })
  const timer = setInterval(tell, 100)
  wire.on('close', () => {
    clearInterval(timer)
    tell()
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
