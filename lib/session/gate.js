// Decides which torrents and peers a session accepts, by its options.
'use strict'

const { throwLater } = require('./attempt.js')

/**
 * @param {{infoHashes: ((infoHash: Buffer) => unknown) | null}} settings
 * @param {Buffer} infoHash - of the peer
 * @returns {boolean}
 */
function admitsTorrent({ infoHashes }, infoHash) {
  if (infoHashes === null) return true
  try {
    const answer = infoHashes(infoHash)
    // A promise, for one, is no answer.
    if (typeof answer !== 'boolean') throw new TypeError('infoHashes() must return a boolean')
    return answer
  } catch (error) {
    throwLater(error)
    return false
  }
}

/**
 * @param {{notPeerId: Uint8Array | null}} settings
 * @param {Buffer} peerId - of the peer
 * @returns {boolean}
 */
function admitsPeer({ notPeerId }, peerId) {
  return notPeerId === null || !peerId.equals(notPeerId)
}

module.exports = { admitsPeer, admitsTorrent }
