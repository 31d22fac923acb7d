// Frames for people: what the core traces, as objects and as text.
'use strict'

const { addon } = require('./native.js')

/** Names of the kinds of messages, in the order of the core's numbers. */
const KINDS = addon.messageKinds().map((name) => name[0].toLowerCase() + name.slice(1))

/** What the numbers of a head mean. */
const FIELDS = {
  have: ['piece'],
  request: ['piece', 'offset', 'length'],
  piece: ['piece', 'offset'],
  cancel: ['piece', 'offset', 'length'],
  port: ['port'],
  extended: ['id']
}

/** Bytes of a traced frame: six numbers, see src/binding/diagnostics.rs. */
const TRACED_LENGTH = 24

/**
 * @param {Buffer} bytes - traced frames, one after the other
 * @param {number} at - where one begins
 * @param {number} time - ms since 1970
 * @returns {{time: number, direction: 'received' | 'sent', kind: string, bytes: number,
 *   fields: Record<string, number>}} `bytes`: of the whole frame
 */
function readFrame(bytes, at, time) {
  const number = (place) => bytes.readUInt32BE(at + 4 * place)
  const kind = KINDS[number(1)]
  const fields = {}
  for (const [index, name] of (FIELDS[kind] ?? []).entries()) fields[name] = number(3 + index)
  const direction = number(0) === 1 ? 'sent' : 'received'
  return { time, direction, kind, bytes: number(2), fields }
}

/**
 * @param {ReturnType<typeof readFrame>} frame
 * @returns {string} one line
 */
function describeFrame({ time, direction, kind, bytes, fields }) {
  const clock = new Date(time).toISOString().slice(11, -1)
  const numbers = Object.entries(fields).map(([name, value]) => `${name} ${value}`)
  const arrow = direction === 'sent' ? '->' : '<-'
  return [`${clock} ${arrow} ${kind}`, ...numbers, `(${bytes} bytes)`].join(' ')
}

module.exports = { KINDS, TRACED_LENGTH, describeFrame, readFrame }
