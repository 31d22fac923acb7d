// An extension of peer-wire-native as a package, in the place of ut_pex: npm overrides name whole packages.
'use strict'

module.exports = require('peer-wire-native').extensions.utPex
