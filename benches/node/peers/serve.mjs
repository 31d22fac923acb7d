// What the far ends of connections share: each is a process of its own, so that its CPU time is not
// counted, and receives a task before each sample.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { placed } from '../place.mjs'

/**
 * @typedef {object} Peer
 * @property {number} port on 127.0.0.1
 * @property {(task: object) => Promise<{ report: Promise<object> }>} begin settles once the far end
 *   is ready for the connections of a sample; its report follows after them
 *
 * Starts a far end, which exits with this process.
 * @param {string} name of a file in this folder
 * @returns {Promise<Peer>}
 */
export async function startPeer(name) {
  const child = fork(new URL(`${name}.mjs`, import.meta.url), placed(process.execPath, 'far end'))
  child.once('exit', (code, signal) => {
    throw new Error(`the far end ended (${signal ?? code})`)
  })
  const [{ port }] = await once(child, 'message')
  return {
    port,
    async begin(task) {
      child.send(task)
      await once(child, 'message')
      return { report: once(child, 'message').then(([result]) => result) }
    }
  }
}

/**
 * Runs a far end: reports the port, takes tasks, serves connections.
 * @param {(task: object, report: (result: object) => void) => (socket: import('node:net').Socket)
 *   => void} accept receives each task and returns the function that serves the connections of its sample
 */
export function serve(accept) {
  let serveSocket
  // As clients do. With Nagle's algorithm the end of a block would wait for an acknowledgement, which the
  // other end delays while it waits itself.
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', ignore)
    serveSocket(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    process.send({ port: server.address().port })
  })
  process.on('disconnect', () => process.exit())
  process.on('message', (task) => {
    serveSocket = accept(task, report)
    process.send({ ready: true })
  })
}

/** The measured process may be gone, after a wrong result. */
function report(result) {
  if (process.connected) process.send(result, ignore)
}

function ignore() {}
