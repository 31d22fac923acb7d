// An extension of peer-wire-native as a package, in the place of ut_metadata: npm overrides name whole packages.
'use strict'

module.exports = require('peer-wire-native').extensions.utMetadata
