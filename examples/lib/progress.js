// Shows a transfer: a bar on a terminal, a line every two seconds elsewhere.
'use strict'

const { Presets, SingleBar } = require('cli-progress')
const { report } = require('./script')
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
  // Until there is something to calculate with, the library hands over a word.
  formatTime: (seconds) => (Number.isFinite(seconds) ? `${seconds} s` : '?')
}

/**
 * Shows a download ten times a second, to the parent process if it listens, or else to the user.
 *
 * @param {number} total bytes
 * @param {() => {bytes: number, speed: number}} look tells how far it is
 * @returns {() => void} stops
 */
function watchProgress(total, look) {
  const bar = process.send ? null : createProgress(total)
  const show = () => {
    const { bytes, speed } = look()
    if (bar) bar.update(bytes, speed)
    else report('progress', { bytes, speed })
  }
  const timer = setInterval(show, 100)
  return () => {
    clearInterval(timer)
    show()
    bar?.stop()
  }
}

module.exports = { createProgress, watchProgress }
