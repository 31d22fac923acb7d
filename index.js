// Exports the package: the class Wire, callable with and without `new`, and its error class.
'use strict'

const Wire = require('./lib/wire.js')
const { allowedFastSet } = require('./lib/allowed-fast-set.js')
const { encryption } = require('./lib/encryption/offered.js')
const { ProtocolError } = require('./lib/errors.js')
const { MetadataFetcher } = require('./lib/extensions/metadata/fetcher.js')
const { extensions } = require('./lib/extensions/offered.js')
const { makeExtension } = require('./lib/extensions/message-extension.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.ProtocolError = ProtocolError
module.exports.allowedFastSet = allowedFastSet
module.exports.encryption = encryption
module.exports.extensions = extensions
module.exports.makeExtension = makeExtension
module.exports.MetadataFetcher = MetadataFetcher

// Loaded when they are first asked for: few users have torrents of version 2. The form of the getters is the
// one in which Node finds named exports.
const hashTrees = {
  get HashTree() {
    return require('./lib/hash-tree.js').HashTree
  },
  get pieceRoot() {
    return require('./lib/hash-tree.js').pieceRoot
  }
}
Object.defineProperty(module.exports, 'HashTree', {
  enumerable: true,
  get: function () {
    return hashTrees.HashTree
  }
})
Object.defineProperty(module.exports, 'pieceRoot', {
  enumerable: true,
  get: function () {
    return hashTrees.pieceRoot
  }
})

// Loaded when they are first asked for, too: who has sockets of Node needs none of it. Kept, as modules that are
// reset meanwhile would be those of another copy.
const loaded = {}
const sockets = {
  get allocate() {
    return (loaded.allocate ??= require('./lib/transport/allocate.js').allocate)
  },
  get attach() {
    return (loaded.attach ??= require('./lib/transport/attach.js').attach)
  },
  get connect() {
    return (loaded.connect ??= require('./lib/transport/connect.js').connect)
  },
  get PieceSource() {
    return (loaded.PieceSource ??= require('./lib/transport/piece-source.js').PieceSource)
  },
  get createServer() {
    return (loaded.createServer ??= require('./lib/transport/server.js').createServer)
  },
  get promises() {
    return (loaded.promises ??= require('./lib/transport/promises.js').promises)
  },
  get RateGroup() {
    return (loaded.RateGroup ??= require('./lib/transport/rates.js').RateGroup)
  }
}
Object.defineProperty(module.exports, 'allocate', {
  enumerable: true,
  get: function () {
    return sockets.allocate
  }
})
Object.defineProperty(module.exports, 'attach', {
  enumerable: true,
  get: function () {
    return sockets.attach
  }
})
Object.defineProperty(module.exports, 'connect', {
  enumerable: true,
  get: function () {
    return sockets.connect
  }
})
Object.defineProperty(module.exports, 'createServer', {
  enumerable: true,
  get: function () {
    return sockets.createServer
  }
})
Object.defineProperty(module.exports, 'PieceSource', {
  enumerable: true,
  get: function () {
    return sockets.PieceSource
  }
})
Object.defineProperty(module.exports, 'promises', {
  enumerable: true,
  get: function () {
    return sockets.promises
  }
})
Object.defineProperty(module.exports, 'RateGroup', {
  enumerable: true,
  get: function () {
    return sockets.RateGroup
  }
})

const pieces = {
  get fetchPiece() {
    return require('./lib/pieces/several.js').fetchFromSeveral
  }
}
Object.defineProperty(module.exports, 'fetchPiece', {
  enumerable: true,
  get: function () {
    return pieces.fetchPiece
  }
})
