// What the system refuses to native sockets and to those of Node, in a process of its own with few descriptors
// and few rights. Prints what it finds as JSON; `ready` once it listens.
'use strict'

const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const pwp = require('../..')

const HOST = '127.0.0.1'

// Loaded when it is first used, for which files are opened.
const { connect } = pwp
const MAKERS = [() => net.createServer(), () => pwp.createServer()]

const facts = ({ message, code, errno, syscall, address, port }) => ({
  message,
  code,
  errno,
  syscall,
  address,
  port
})

/** Takes all descriptors that are left. */
const takeAll = () => {
  const taken = []
  for (;;) {
    try {
      taken.push(fs.openSync('/dev/null'))
    } catch {
      return taken
    }
  }
}

/** Errors where a server may not listen. */
const listenWithoutRights = async () => {
  if (process.getuid() === 0) process.setuid(65534)
  const errors = []
  for (const make of MAKERS) {
    const server = make().listen(1, HOST)
    const outcome = once(server, 'error').then(([error]) => facts(error))
    const listened = once(server, 'listening').then(() => null)
    errors.push(await Promise.race([outcome, listened])) // oxlint-disable-line no-await-in-loop -- one port
    server.close()
  }
  return errors
}

/** Errors of a server and of a wire while there are no descriptors, and whether both work afterwards. */
const runOut = async () => {
  const server = pwp.createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address()
  // The first socket of Node takes another descriptor, which stays.
  const first = net.createServer().listen(0, HOST)
  await once(first, 'listening')
  await once(first.close(), 'close')
  // once() would reject with the error that is to come.
  const accepted = new Promise((resolve) => server.once('wire', resolve))
  const listening = once(server, 'error')
  const taken = takeAll()
  const wire = connect({ host: HOST, port })
  const dialing = once(wire, 'error')
  const [dialed] = await dialing
  // The last one is for a peer, whom the server cannot take then.
  fs.closeSync(taken.pop())
  const peer = net.connect(port, HOST)
  const [error] = await listening
  const wasListening = server.listening
  for (const descriptor of taken) fs.closeSync(descriptor)
  const other = await accepted
  const isConnected = other.remotePort === peer.localPort
  peer.destroy()
  other.destroy()
  server.close()
  await once(server, 'close')
  return { dialed: facts(dialed), accepting: facts(error), wasListening, isConnected }
}

const main = async () => {
  const outOfDescriptors = await runOut()
  console.log(JSON.stringify({ outOfDescriptors, withoutRights: await listenWithoutRights() }))
}

main()
