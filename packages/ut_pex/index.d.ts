import pwp = require('peer-wire-native')

declare const utPex: pwp.OfferedExtensions['utPex']

export = utPex
