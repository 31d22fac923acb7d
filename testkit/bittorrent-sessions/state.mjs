// Records what happens on a bittorrent-protocol wire in a session: values, public state, and counts.

/**
 * Adds an entry with its values and the current state of the wire, and keeps the bytes among the values, to
 * check at the end whether they are still the same.
 *
 * @param {object} run
 * @param {string} title
 * @param {unknown[]} values
 */
export const note = (run, title, values) => {
  if (run.over) return
  for (const value of values) {
    if (ArrayBuffer.isView(value) && value.length) run.kept.push([value, hex(value)])
  }
  run.entries.push(`${title}(${values.map(formatValue).join(', ')}) ${snapshot(run)}`)
}

/**
 * The public state of a wire as text.
 *
 * @param {{wire: object, labels: Map<Function, string>}} run
 * @returns {string}
 */
export const snapshot = ({ wire, labels }) =>
  [
    `| choking ${wire.amChoking} ${wire.peerChoking}`,
    `interested ${wire.amInterested} ${wire.peerInterested}`,
    `bytes ${wire.uploaded} ${wire.downloaded}`,
    `requests ${formatRequests(wire.requests, labels)}`,
    `of peer ${formatRequests(wire.peerRequests, labels)}`,
    formatPieces(wire.peerPieces),
    `fast ${wire.hasFast} ${wire.allowedFastSet} ${wire.peerAllowedFastSet}`
  ].join(', ')

/**
 * The state that seldom changes.
 *
 * @param {{wire: object}} run
 * @returns {string}
 */
export const longSnapshot = ({ wire }) =>
  [
    `| peer ${wire.peerId} ${wire.peerIdBuffer && hex(wire.peerIdBuffer)}, type ${wire.type}`,
    `extensions ${formatValue(wire.extensions)} ${formatValue(wire.peerExtensions)}`,
    `mappings ${formatValue(wire.extendedMapping)} ${formatValue(wire.peerExtendedMapping)}`,
    `handshakes ${formatValue(wire.extendedHandshake)} ${formatValue(wire.peerExtendedHandshake)}`,
    `encryption ${Boolean(wire._cryptoHandshakeDone)} ${wire._encryptionMethod ?? 'none'}`,
    `all pieces ${formatAllPieces(wire.peerPieces)}, seeder ${wire.isSeeder}`
  ].join(', ')

const hex = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

const formatValue = (value) => {
  if (ArrayBuffer.isView(value)) return `<${hex(value)}>`
  if (value instanceof Error) return `${value.name}: ${value.message}`
  if (typeof value === 'function') return 'function'
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`
  if (typeof value === 'object' && value !== null) return formatObject(value)
  return `${typeof value} ${String(value)}`
}

const formatObject = (object) =>
  typeof object.get === 'function'
    ? formatPieces(object)
    : `{${Object.entries(object)
        .map(([key, value]) => `${key}: ${formatValue(value)}`)
        .join(', ')}}`

const formatRequests = (requests, labels) =>
  `[${requests.map((request) => formatRequest(request, labels)).join(' ')}]`

const formatRequest = ({ piece, offset, length, callback }, labels) =>
  `${piece}/${offset}/${length}=${labels.get(callback) ?? typeof callback}`

/** The size and the first pieces: all of them are written at ticks only. */
const formatPieces = (pieces) =>
  `pieces ${pieces.buffer.length}:${hex(pieces.buffer.subarray(0, 12))}`

/** Pieces of which `get()` is asked. */
const ASKED = [...Array(100).keys(), 2999, 399_999, 400_000]

const formatAllPieces = (pieces) => {
  let hash = 0
  for (const byte of pieces.buffer) hash = (Math.imul(hash, 31) + byte) | 0
  const known = ASKED.map((piece) => (pieces.get(piece) ? '1' : '0')).join('')
  const kind = typeof pieces.setAll === 'function' ? 'bitfield' : 'all'
  return `${kind} ${pieces.length ?? ''} ${hash} ${known}`
}
