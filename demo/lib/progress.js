// Shows a transfer: a bar on a terminal, a line every two seconds elsewhere.
'use strict'

const { Presets, SingleBar } = require('cli-progress')
const { formatBytes } = require('./size')

const LINE = '{percentage}% | {done} of {all} | {speed}/s | {eta_formatted} left'

/**
 * @param {number} total bytes
 * @returns {{update: (bytes: number, speed: number) => void, stop: () => void}} `speed` in bytes
 *   per second
 */
function createProgress(total) {
  const payload = (bytes, speed) => {
    return { done: formatBytes(bytes), all: formatBytes(total), speed: formatBytes(speed) }
  }
  const bar = new SingleBar(OPTIONS, Presets.shades_classic)
  bar.start(total, 0, payload(0, 0))
  return {
    update: (bytes, speed) => bar.update(bytes, payload(bytes, speed)),
    stop: () => bar.stop()
  }
}

const OPTIONS = {
  format: process.stdout.isTTY ? `{bar} ${LINE}` : LINE,
  stream: process.stdout,
  noTTYOutput: true,
  notTTYSchedule: 2000, // ms
  barsize: 24, // with the text it fits into 80 columns
  etaBuffer: 50,
  hideCursor: true,
  // Until the library can estimate a time, it passes a word.
  formatTime: (seconds) => (Number.isFinite(seconds) ? `${seconds} s` : '?')
}

module.exports = { createProgress }
