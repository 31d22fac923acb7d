// The output of a wire with a native socket: it goes from the core to the socket without passing JavaScript.
'use strict'

const { native } = require('./native.js')
const { PANICKED } = require('../native.js')
const { Output } = require('../session/output.js')

class NativeOutput extends Output {
  /** Blocks are copied at once, but for long ones in memory of `pwp.allocate()`: those stay where they are. */
  addBlock(piece, offset, block, length) {
    const { link } = this.port
    if (!link.takesFrames) return super.addBlock(piece, offset, block, length)
    this.isLost ||= block.length !== length
    if (this.isLost) return false
    this.#note(native.transmitPiece(this.core.slot, link.number, piece, offset, block))
    return true
  }

  flush() {
    const { link } = this.port
    if (!link.takesFrames || this.blocks !== null) return super.flush()
    if (this.isFlushing || !this.isWaiting) return
    this.isWaiting = false
    this.#note(native.transmit(this.core.slot, link.number))
  }

  /** A core that a panic has broken sends nothing. */
  #note(outcome) {
    if (outcome === PANICKED) this.isBroken = true
    else this.port.wrote()
  }
}

module.exports = { NativeOutput }
