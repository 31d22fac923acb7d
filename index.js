// The package: a Wire, callable with and without `new`, and what belongs to it.
'use strict'

const Wire = require('./lib/wire.js')
const { ProtocolError } = require('./lib/errors.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.ProtocolError = ProtocolError
