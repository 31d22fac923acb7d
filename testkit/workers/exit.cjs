// Ends the process while wires are busy in it: process.exit, or an error that nobody catches.
'use strict'

const pwp = require('../..')
const { keepBusy } = require('./busy-wires.cjs')

const [, , ending] = process.argv

keepBusy(pwp, 50, () => {
  if (ending === 'throw') throw new Error('thrown on purpose')
  process.exit(7)
})
