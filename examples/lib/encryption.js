// The option --encryption of the examples, and connections that are opened as it says.
'use strict'

const net = require('node:net')
const pwp = require('../..')

const MODES = ['off', 'accept', 'prefer', 'require']
const PATIENCE = 30_000 // ms, for connecting and for the key exchange

const HELP = `  --encryption mode    off, accept, prefer or require (default: prefer)
      off      clear text
      accept   as the peer that connects wants it; in clear text where we connect
      prefer   the same, but encrypted where we connect; a peer that closes such a connection is
               connected to once more, in clear text
      require  encrypted, or not at all`

/** Throws unless it is a mode. */
function checkMode(mode) {
  if (!MODES.includes(mode)) throw new Error(`--encryption must be one of ${MODES.join(', ')}`)
}

/**
 * Settles with a stream to the peer when it is known whether it is encrypted. Either way a wire is
 * piped through it as through a socket.
 */
async function connect(address, infoHash, mode) {
  const signal = AbortSignal.timeout(PATIENCE)
  try {
    // Called again for a connection in clear text.
    return await pwp.encryption.dial(() => net.connect(address), { infoHash, mode, signal })
  } catch (error) {
    throw signal.aborted ? new Error('the peer does not answer', { cause: error }) : error
  }
}

/** Says that a connection is encrypted. */
function tell({ method }) {
  if (method !== 'none') console.log(`Encryption: ${method}`)
}

module.exports = { HELP, checkMode, connect, tell }
