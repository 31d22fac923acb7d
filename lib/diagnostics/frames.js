// Decodes the frames that the core has traced into objects.
'use strict'

const { addon } = require('../native.js')

/** Kinds of messages with the names of their fields, by their number in the core. */
const KINDS = addon.messageKinds()

/** Bytes of a traced frame: six numbers, see src/binding/diagnostics.rs. */
const { tracedLength: TRACED_LENGTH } = addon.diagnosticsLayout()

/**
 * @typedef {object} Frame
 * @property {number} time - ms since 1970
 * @property {'received' | 'sent'} direction
 * @property {string} kind
 * @property {number} bytes - of the whole frame
 * @property {Record<string, number>} fields
 */

/**
 * @param {Buffer} bytes - traced frames, one after the other
 * @param {number} at - where one begins
 * @param {number} time - ms since 1970
 * @returns {Frame}
 */
function readFrame(bytes, at, time) {
  const number = (place) => bytes.readUInt32BE(at + 4 * place)
  const kind = KINDS[number(1)]
  const fields = {}
  for (const [index, name] of kind.fields.entries()) fields[name] = number(3 + index)
  const direction = number(0) === 1 ? 'sent' : 'received'
  return { time, direction, kind: kind.name, bytes: number(2), fields }
}

module.exports = { KINDS, TRACED_LENGTH, readFrame }
