// The random bytes of exchanges. Tests replace them, to repeat recorded exchanges.
'use strict'

const { randomBytes } = require('node:crypto')

const random = {
  /** @type {(length: number) => Buffer} */
  bytes: randomBytes
}

module.exports = { random }
