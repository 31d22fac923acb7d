// The extensions that the package offers, as classes for `wire.use()`. Each is loaded when it is first asked
// for: most wires use none.
'use strict'

const extensions = {
  get utMetadata() {
    return require('./metadata/ut-metadata.js').utMetadata
  }
}

module.exports = { extensions }
