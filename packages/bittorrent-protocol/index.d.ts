import Wire = require('peer-wire-native/bittorrent-protocol')

export = Wire
