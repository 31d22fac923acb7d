#!/usr/bin/env node
// Prints a transcript: the JSON of `error.transcript`, from a file or from stdin.
'use strict'

const { readFileSync } = require('node:fs')
const { describeFrame } = require('../lib/diagnostics/describe.js')

try {
  const frames = JSON.parse(readFileSync(process.argv[2] ?? 0, 'utf8'))
  for (const frame of frames) console.log(describeFrame(frame))
} catch (error) {
  console.error(`peer-wire-transcript [file]: ${error.message}`)
  process.exitCode = 1
}
