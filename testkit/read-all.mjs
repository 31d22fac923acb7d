// Reads what waits in a stream, on every release of Node.

/**
 * All that waits, in one piece: on Node 26 `read()` gives one chunk, before it gave all of them.
 *
 * @param {import('node:stream').Readable} stream
 * @returns {Buffer} empty if nothing waits
 */
export const readAll = (stream) => {
  const chunks = []
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
