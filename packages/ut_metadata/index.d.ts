import pwp = require('peer-wire-native')

declare const utMetadata: pwp.OfferedExtensions['utMetadata']

export = utMetadata
