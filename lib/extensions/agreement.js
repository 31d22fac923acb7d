// What both sides of a wire have announced by BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>, for
// extensions that run on wires of bittorrent-protocol as well.
'use strict'

/**
 * @param {object} wire
 * @param {string} name - of an extension
 * @returns {boolean} whether the peer has it
 */
function peerHas(wire, name) {
  return Boolean(wire.peerExtendedMapping?.[name])
}

/**
 * @param {object} wire
 * @returns {boolean} whether our extended handshake has left, which comes before everything else
 */
function isAnnounced(wire) {
  if (wire.destroyed) return false
  // A wire of this package, perhaps of another copy of it.
  const session = wire._getSession?.()
  // Its own name at bittorrent-protocol.
  return session === undefined ? wire._extendedHandshakeSent === true : session.extensions.isSent
}

/**
 * @param {object} wire
 * @param {string} name - of an extension
 * @returns {boolean} whether its messages may leave
 */
function isAgreed(wire, name) {
  return isAnnounced(wire) && peerHas(wire, name)
}

/** Sends our extended handshake once more, as it is now. */
function announceAgain(wire) {
  const m = {}
  for (const [id, name] of Object.entries(wire.extendedMapping)) m[name] = Number(id)
  wire.extended(0, { ...wire.extendedHandshake, m })
}

module.exports = { announceAgain, isAgreed, isAnnounced, peerHas }
