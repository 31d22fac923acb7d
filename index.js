// Exports the package: the class Wire, callable with and without `new`, and its error class.
'use strict'

const Wire = require('./lib/wire.js')
const { ProtocolError } = require('./lib/errors.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.ProtocolError = ProtocolError
