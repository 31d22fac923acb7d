// `peer-wire-native/bittorrent-protocol`: the class of bittorrent-protocol.
'use strict'

const Wire = require('./lib/bittorrent-protocol/wire.js')

module.exports = Wire
module.exports.Wire = Wire
module.exports.default = Wire
// Found by Node as named exports, for which TypeScript takes what is static.
module.exports.defaults = Wire.defaults
module.exports.extensions = Wire.extensions
module.exports.nativeRC4 = Wire.nativeRC4
