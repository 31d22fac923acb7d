// `peer-wire-native/bittorrent-protocol`: the class of bittorrent-protocol.
'use strict'

const Wire = require('./lib/bittorrent-protocol/wire.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.default = Wire
