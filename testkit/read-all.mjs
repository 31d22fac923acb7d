// Reads everything buffered in a stream, on every release of Node.

/**
 * Everything buffered, as one Buffer: since Node 26 `read()` returns one chunk, before it returned all.
 *
 * @param {import('node:stream').Readable} stream
 * @returns {Buffer} empty if nothing is buffered
 */
export const readAll = (stream) => {
  const chunks = []
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
