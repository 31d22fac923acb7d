// Memory that many Buffers are cut from, in one allocation.
'use strict'

const { markAsUntransferable } = require('node:worker_threads')

class Slab {
  /** @param {number} length - bytes of one allocation */
  constructor(length) {
    this.length = length
    this.buffer = Buffer.alloc(0)
    /** Where the free part begins. */
    this.start = 0
  }

  /** Allocates new memory; the old memory lives as long as the Buffers cut from it. */
  renew() {
    this.buffer = Buffer.allocUnsafeSlow(this.length)
    // As Node does with its own pool: a transfer would detach all Buffers in it.
    markAsUntransferable?.(this.buffer.buffer)
    this.start = 0
  }
}

module.exports = { Slab }
