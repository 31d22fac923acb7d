import pwp = require('peer-wire-native')

declare const ltDonthave: pwp.OfferedExtensions['ltDonthave']

export = ltDonthave
