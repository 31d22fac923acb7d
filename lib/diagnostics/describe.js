// Describes frames as text for people. Needs no addon, so that a transcript can be read on any machine.
'use strict'

/**
 * @param {import('./frames.js').Frame} frame
 * @returns {string} one line
 */
function describeFrame({ time, direction, kind, bytes, fields }) {
  const clock = new Date(time).toISOString().slice(11, -1)
  const numbers = Object.entries(fields).map(([name, value]) => `${name} ${value}`)
  const arrow = direction === 'sent' ? '->' : '<-'
  return [`${clock} ${arrow} ${kind}`, ...numbers, `(${bytes} bytes)`].join(' ')
}

module.exports = { describeFrame }
