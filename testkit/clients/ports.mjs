// Finds free ports for programs that cannot listen on port 0 and report the port they got.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'

/** Below those that systems give to connections and to port 0, one of which would be lost to another test. */
const [FIRST, END] = [10_000, 32_000]

/**
 * @param {number} count
 * @returns {Promise<number[]>} distinct TCP ports that were free a moment ago
 */
export async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, listenSomewhere))
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

async function listenSomewhere() {
  const server = net.createServer().listen(randomInt(FIRST, END), '127.0.0.1')
  try {
    await once(server, 'listening')
    return server
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error
    return listenSomewhere()
  }
}
