// The compared libraries: how each is loaded and constructed, and how it answers what the peer has.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)

/** The side without a library: a bare socket moves the same bytes without parsing them. */
export const BARE = 'bare socket'

/** The side of the class that this package has in place of that of bittorrent-protocol. */
export const CLASS = 'our class'

/** The dictionary that a wire sends in its extended handshake. */
export const EXTENDED_HANDSHAKE = { m: { ut_metadata: 1, ut_pex: 2 }, v: 'bench' }

/**
 * What a workload sees of a library. All but name and version are null on the side BARE.
 *
 * @typedef {object} Library
 * @property {string} name
 * @property {string} version
 * @property {((options?: object) => import('node:stream').Duplex) | null} create
 * @property {(port: number) => import('node:stream').Duplex} [connect] makes a wire with a native socket
 * @property {(wire: object, piece: number) => boolean} peerHas
 * @property {(role: 'initiator' | 'responder', infoHash: Buffer, onAgreed: (method: string) => void) =>
 *   import('node:stream').Duplex} [encrypting] makes a wire; calls back before anything behind the exchange is received
 * @property {(wire: object) => void} greet sends EXTENDED_HANDSHAKE; for handlers of 'handshake'
 */

/** Of bittorrent-protocol, by their bits. */
const METHODS = { 1: 'plaintext', 2: 'rc4' }

const loaders = {
  ours: async () => ({
    ...nodeDuplex('ours', require('../..'), require.resolve('../..')),
    connect: (port) => require('../..').connect({ host: '127.0.0.1', port }),
    encrypting(role, infoHash, onAgreed) {
      const torrent = role === 'initiator' ? { infoHash } : { infoHashes: infoHash }
      const wire = require('../..')({ encryption: { role, mode: 'require', ...torrent } })
      wire.once('encryption', ({ method }) => onAgreed(method))
      return wire
    }
  }),
  original: async () =>
    nodeDuplex('original', require('peer-wire-protocol'), require.resolve('peer-wire-protocol')),
  'bittorrent-protocol': async () => {
    const { default: Wire } = await import('bittorrent-protocol')
    const entry = fileURLToPath(import.meta.resolve('bittorrent-protocol'))
    return ofClass('bittorrent-protocol', Wire, versionBeside(entry))
  },
  [CLASS]: async () =>
    ofClass(
      CLASS,
      require('../../bittorrent-protocol.js'),
      versionBeside(require.resolve('../..'))
    ),
  [BARE]: async () => ({
    name: BARE,
    version: process.version,
    create: null,
    peerHas: null,
    greet: null
  })
}

/** The sides with a library, in the order of the report. */
export const libraryNames = ['ours', 'original', 'bittorrent-protocol']

/**
 * @param {string} name one of `libraryNames`, CLASS or BARE
 * @returns {Promise<Library>}
 * @throws when it is not installed, or not built
 */
export async function loadLibrary(name) {
  if (!Object.hasOwn(loaders, name)) throw new Error(`no library is called ${name}`)
  try {
    return await loaders[name]()
  } catch (error) {
    const remedy = name === 'ours' ? 'npm run build' : 'npm ci'
    throw new Error(`${name} cannot be loaded (try: ${remedy}): ${error.message}`, { cause: error })
  }
}

/** Of bittorrent-protocol, or of ours in its place. */
function ofClass(name, Wire, version) {
  return {
    name,
    version,
    create: () => new Wire(),
    encrypting(role, infoHash, onAgreed) {
      const isInitiator = role === 'initiator'
      const hex = infoHash.toString('hex')
      const wire = new Wire(isInitiator ? 'tcpOutgoing' : 'tcpIncoming', 2)
      wire.once('crypto-infohash', () => wire.setInfoHash(hex))
      wire.once('crypto-handshake', () => onAgreed(METHODS[wire._encryptionMethod]))
      if (isInitiator) wire.startEncryption(hex)
      return wire
    },
    peerHas: (wire, piece) => wire.peerPieces.get(piece),
    // It sends the extended handshake itself, after the handlers of 'handshake'. All sides send the same.
    greet(wire) {
      const { m, ...rest } = EXTENDED_HANDSHAKE
      wire.extendedMapping = Object.fromEntries(Object.entries(m).map(([key, id]) => [id, key]))
      wire.extendedHandshake = { ...rest, reqq: undefined }
    }
  }
}

function nodeDuplex(name, pwp, entry) {
  return {
    name,
    version: versionBeside(entry),
    create: (options) => pwp(options),
    peerHas: (wire, piece) => wire.peerPieces[piece],
    greet: (wire) => wire.extended(0, EXTENDED_HANDSHAKE)
  }
}

function versionBeside(entry) {
  return JSON.parse(readFileSync(join(dirname(entry), 'package.json'), 'utf8')).version
}
