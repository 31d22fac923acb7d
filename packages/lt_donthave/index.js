// An extension of peer-wire-native as a package, in the place of lt_donthave: npm overrides name whole packages.
'use strict'

module.exports = require('peer-wire-native').extensions.ltDonthave
