// The peers of a server that have not said yet which torrent they want: how many there may be, for how long, and
// what becomes known of those that nobody gets to see.
'use strict'

const { Deadline } = require('../session/deadlines.js')
const { handshakeTimedOut, tooManyHandshakes } = require('../errors.js')

class Newcomers {
  /** @param {{policy: import('../encryption/policy.js').Policy, timeout: number, isHidden: boolean}} settings */
  constructor({ policy, timeout, isHidden }) {
    this.policy = policy
    /** Ms that a peer may take; 0 for no limit. */
    this.timeout = timeout
    /** Whether their wires are shown only once the torrent is known. */
    this.isHidden = isHidden
    this.wires = new Set()
  }

  /**
   * @param {string} address - of a peer that has just connected
   * @returns {import('../encryption/policy.js').Ticket | Error} the error if it may not stay
   */
  admit(address) {
    const ticket = this.policy._admit(address)
    return ticket instanceof Error ? tooManyHandshakes(ticket.code, ticket.limit) : ticket
  }

  /**
   * @param {import('./link.js').Link} link - of a peer that was admitted
   * @param {import('../encryption/policy.js').Ticket} ticket
   * @param {(infoHash: Buffer) => void} onknown - called when it wants a torrent that is served
   */
  add(link, ticket, onknown) {
    const { session, wire } = link
    // An exchange is counted by this ticket; only if it has cost us keys in vain it says so itself.
    const ofExchange = { leave: (wasWasted) => wasWasted && ticket.leave(true) }
    let deadline = null
    const leave = () => {
      deadline?.stop()
      this.wires.delete(wire)
      ticket.leave(false)
    }
    link.ticket = { leave, ofExchange }
    link.isUnseen = this.isHidden
    if (this.isHidden) this.wires.add(wire)
    if (this.timeout > 0) {
      const expire = () => session.inContext(() => wire.destroy(handshakeTimedOut(this.timeout)))
      deadline = new Deadline(this.timeout, expire, session.port)
    }
    session.onserved = (infoHash) => {
      link.ticket = null
      link.isUnseen = false
      leave()
      onknown(infoHash)
    }
  }

  /** The server takes no more peers: who has not been seen is not waited for. */
  close() {
    for (const wire of this.wires) wire.destroy()
  }
}

module.exports = { Newcomers }
