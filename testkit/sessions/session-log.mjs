// Records what happens on a wire in a session: values, public state, and counts.

/** Events caused by input from the peer. */
export const INPUT_EVENTS = [
  'handshake',
  'choke',
  'unchoke',
  'interested',
  'uninterested',
  'have',
  'bitfield',
  'request',
  'piece',
  'cancel',
  'port',
  'extended',
  'keep-alive',
  'unknownmessage',
  'download'
]

/**
 * Counts an occurrence, to prove that a run covered what it should.
 *
 * @param {{counts: Record<string, number>}} run
 * @param {string} key
 */
export const count = (run, key) => {
  run.counts[key] = (run.counts[key] ?? 0) + 1
}

/**
 * Adds an entry with its values and the current state of the wire, and keeps the buffers among the
 * values, to check at the end whether they still hold the same bytes.
 *
 * @param {object} run
 * @param {string} title
 * @param {unknown[]} values
 */
export const note = (run, title, values) => {
  if (run.over) return
  for (const value of values) {
    if (Buffer.isBuffer(value) && value.length) run.kept.push([value, value.toString('hex')])
  }
  run.entries.push(`${title}(${formatValues(values)}) ${snapshot(run)}`)
}

/**
 * Formats values with their kinds: buffers in hex, functions without names.
 *
 * @param {unknown[]} values
 * @returns {string}
 */
export const formatValues = (values) => values.map(formatValue).join(', ')

/**
 * The public state of a wire as text.
 *
 * @param {{wire: object, labels: Map<Function, string>, arrays: object}} run `arrays` are those
 *   that the wire had when they were first read, because users keep them
 * @returns {string}
 */
export const snapshot = (run) => {
  const { wire, labels } = run
  const { amChoking, amInterested, peerChoking, peerInterested, uploaded, downloaded } = wire
  return (
    `| choking ${amChoking} ${peerChoking}, interested ${amInterested} ${peerInterested}` +
    `, bytes ${uploaded} ${downloaded}, extensions ${JSON.stringify(wire.peerExtensions)}` +
    `, requests ${formatRequests(wire.requests, labels)}` +
    ` of peer ${formatRequests(wire.peerRequests, labels)}, ${formatPieces(run)}` +
    `${isReplaced(run, 'requests') || isReplaced(run, 'peerRequests') ? ', other requests' : ''}`
  )
}

const isReplaced = ({ wire, arrays, session }, name) => {
  if (session.forgets) return false
  arrays[name] ??= wire[name]
  return arrays[name] !== wire[name]
}

const formatValue = (value) => {
  if (Buffer.isBuffer(value)) return `<${value.toString('hex')}>`
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (typeof value === 'function') return 'function'
  return typeof value === 'object' ? JSON.stringify(value) : `${typeof value} ${String(value)}`
}

const formatRequests = (requests, labels) =>
  `[${requests.map((request) => formatRequest(request, labels)).join(' ')}]`

const formatRequest = ({ piece, offset, length, callback }, labels) =>
  `${piece}/${offset}/${length}=${labels.get(callback) ?? typeof callback}`

/** Length and hash of all values: writing them out at each event would take too long. */
const formatPieces = (run) => {
  if (run.eventCounts.any < run.session.watchesFrom && !run.isFinal) return 'pieces unseen'
  if (isReplaced(run, 'peerPieces')) return 'other pieces'
  const pieces = run.wire.peerPieces
  let hash = 0
  for (let at = 0; at < pieces.length; at++) {
    hash = (Math.imul(hash, 31) + digitOf(pieces[at])) | 0
  }
  return `pieces ${pieces.length}:${hash}`
}

const digitOf = (value) => {
  if (value === undefined) return 0
  if (value === true) return 1
  return value === false ? 2 : 3
}
