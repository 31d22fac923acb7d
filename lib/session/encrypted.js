// A session behind a key exchange: nothing leaves before it is over, and what comes is deciphered first.
'use strict'

const { Session } = require('./session.js')
const { WireExchange } = require('../encryption/wire-exchange.js')

class EncryptedSession extends Session {
  /** See Session. */
  constructor(wire, face, port, settings) {
    super(wire, face, port, settings)
    this.encryption = new WireExchange(this, settings.encryption)
    // Not within the flush that has failed.
    port.onbroken = (error) =>
      process.nextTick(() => this.inContext(() => this.encryption.fail(error)))
  }

  get delaysInput() {
    return this.encryption.delaysInput
  }

  get unsent() {
    return super.unsent + this.encryption.unsent
  }

  receive(chunk, done) {
    const { encryption } = this
    if (encryption.delaysInput) return encryption.receive(chunk, done)
    const bytes = encryption.decrypt(chunk)
    if (bytes === null) done()
    else super.receive(bytes, done)
  }

  /** Reads what is deciphered. */
  receiveClear(bytes, done) {
    super.receive(bytes, done)
  }

  /** What is sent before the exchange is over waits in the core. */
  flush() {
    if (this.encryption.isOver) super.flush()
    else this.encryption.onOutput()
  }

  /** The exchange is over: what waited leaves. */
  open() {
    this.output.isWaiting = true
    this.flush()
  }

  insert(put) {
    return this.encryption.isOver ? super.insert(put) : this.output.insert(put)
  }
}

module.exports = { EncryptedSession }
