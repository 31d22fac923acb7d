// The extensions that the package offers, as classes for `wire.use()`. Each is loaded when it is first asked
// for: most wires use none.
'use strict'

const extensions = {
  get ltDonthave() {
    return require('./donthave.js').ltDonthave
  },
  get uploadOnly() {
    return require('./upload-only.js').uploadOnly
  },
  get utHolepunch() {
    return require('./holepunch.js').utHolepunch
  },
  get utPex() {
    return require('./pex.js').utPex
  },
  get utMetadata() {
    return require('./metadata/ut-metadata.js').utMetadata
  }
}

module.exports = { extensions }
