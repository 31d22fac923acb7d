// Exports the package: the class Wire, callable with and without `new`, and its error class.
'use strict'

const Wire = require('./lib/wire.js')
const { allowedFastSet } = require('./lib/allowed-fast-set.js')
const { encryption } = require('./lib/encryption/offered.js')
const { ProtocolError } = require('./lib/errors.js')
const { extensions } = require('./lib/extensions/offered.js')
const { makeExtension } = require('./lib/extensions/message-extension.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.ProtocolError = ProtocolError
module.exports.allowedFastSet = allowedFastSet
module.exports.encryption = encryption
module.exports.extensions = extensions
module.exports.makeExtension = makeExtension
