// Finds free ports for programs that cannot listen on port 0 and report the port they got.
import { once } from 'node:events'
import net from 'node:net'

/**
 * @param {number} count
 * @returns {Promise<number[]>} distinct TCP ports that were free a moment ago
 */
export async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
