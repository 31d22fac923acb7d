// A call of each public method of a wire, with valid arguments.
import { PassThrough } from 'node:stream'

import { frame } from './messages.mjs'

const ID = Buffer.alloc(20, 1)

class Extension {
  get name() {
    return 'ut_test'
  }
}

/** Arguments by method name. */
export const METHOD_CALLS = {
  _write: [frame(4, 1), 'buffer', () => {}],
  allowedFast: [7],
  bitfield: [Buffer.from([0xf0])],
  cancel: [1, 2, 3],
  choke: [],
  cork: [],
  destroy: [],
  end: [],
  extended: [0, { m: {} }],
  fetchPiece: [1, { length: 5 }],
  flushed: [],
  handshake: [ID, ID],
  have: [7],
  haveAll: [],
  haveNone: [],
  interested: [],
  iterator: [],
  metadata: [{ timeout: 1000 }],
  pause: [],
  piece: [1, 2, Buffer.alloc(5000)],
  pipe: [new PassThrough()],
  port: [6881],
  push: [frame(4, 1)],
  read: [],
  ref: [],
  reject: [1, 2, 3],
  request: [1, 2, 3],
  requestBlock: [1, 2, 3],
  requestHashes: [
    { root: Buffer.alloc(32), baseLayer: 0, index: 0, length: 2, proofLayers: 0 },
    { timeout: 1000 }
  ],
  resume: [],
  serve: [null],
  serveMetadata: [Buffer.from('de')],
  setKeepAlive: [],
  setPieces: [9],
  setRateGroup: [null],
  setRateLimits: [{ download: 5 }],
  setTimeout: [1000],
  stats: [],
  suggest: [7],
  unchoke: [],
  uninterested: [],
  unpipe: [],
  unref: [],
  unshift: [frame(4, 1)],
  use: [Extension],
  write: [frame(4, 1)]
}
