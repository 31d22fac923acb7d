// A second wire that receives input inside the handlers of the first: the two must not interfere.

import { count, formatValues, INPUT_EVENTS, snapshot } from './session-log.mjs'
import { encodeMessage } from '../messages.mjs'

/**
 * Writes messages of its own peer to the second wire, which is made on first use.
 *
 * @param {object} run of `runSession`
 * @param {object[]} messages
 */
export const feedSecondWire = (run, messages) => {
  run.second ??= startSecondWire(run)
  count(run, 'path second wire')
  run.second.write(Buffer.concat(messages.map(encodeMessage)))
}

const HANDSHAKE = {
  type: 'handshake',
  reserved: [0, 0, 0, 0, 0, 0, 0, 1],
  infoHash: { size: 20, fill: 1 },
  peerId: { size: 20, fill: 2 }
}

const startSecondWire = (run) => {
  const wire = run.createWire()
  const view = { ...run, wire, arrays: {}, labels: new Map(), session: { watchesFrom: 0 } }
  for (const name of INPUT_EVENTS) {
    wire.on(name, (...values) => {
      run.entries.push(`second wire: ${name}(${formatValues(values)}) ${snapshot(view)}`)
    })
  }
  wire.unchoke()
  wire.write(encodeMessage(HANDSHAKE))
  return wire
}
