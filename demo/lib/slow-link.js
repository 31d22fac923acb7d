// A TCP proxy between two peers that limits the bytes per second.
'use strict'

const { once } = require('node:events')
const net = require('node:net')
const { pipeline } = require('node:stream/promises')
const { setTimeout: sleep } = require('node:timers/promises')

/**
 * @param {number} target port on 127.0.0.1 to which connections are forwarded
 * @param {number} rate bytes per second from the target
 * @param {AbortSignal} signal ends everything
 * @returns {Promise<number>} port on 127.0.0.1 to connect to
 */
async function openSlowLink(target, rate, signal) {
  async function* pace(chunks) {
    for await (const chunk of chunks) {
      await sleep((chunk.length / rate) * 1000, undefined, { signal })
      yield chunk
    }
  }
  const server = net.createServer((near) => {
    const far = net.connect({ port: target, host: '127.0.0.1' })
    // No error handling: the connections of the peers end with these, which informs them.
    Promise.all([pipeline(near, far, { signal }), pipeline(far, pace, near, { signal })]).catch(
      () => {}
    )
  })
  server.listen({ port: 0, host: '127.0.0.1', signal })
  await once(server, 'listening')
  return server.address().port
}

module.exports = { openSlowLink }
