// The subpath of peer-wire-native as a package: npm overrides can name a package, but no subpath of one.
'use strict'

module.exports = require('peer-wire-native/bittorrent-protocol')
