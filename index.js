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
