// Message stream encryption, as `pwp.encryption`. Each part is loaded when it is first asked for: who does not
// encrypt does not pay for it.
'use strict'

const encryption = {
  get dial() {
    return require('./dial.js').dial
  },
  get obfuscatedHash() {
    return require('./torrents.js').obfuscatedHash
  },
  get Policy() {
    return require('./policy.js').Policy
  },
  get wrap() {
    return require('./wrap.js').wrap
  }
}

module.exports = { encryption }
