// What must occur in the sessions of bittorrent-protocol, and how often.

import { withPrefix } from '../sessions/coverage.mjs'
import { CALL_KINDS } from './performing.mjs'
import { FAST_TYPES, MESSAGE_TYPES } from './peer-messages.mjs'
import { EVENTS } from './runner.mjs'

const without = (names, unwanted) => names.filter((name) => !unwanted.includes(name))

const NOT_IN_HANDLERS = ['startEncryption', 'setKeepAlive', 'setTimeout', 'speeds', 'end']

/** Minimum number of occurrences in a full run of 6,000 sessions. */
export const REQUIRED = [
  ...withPrefix('message', without(MESSAGE_TYPES, FAST_TYPES), 2500),
  ...withPrefix('message', FAST_TYPES, 800),
  ...withPrefix('event', without(EVENTS, ['error', 'timeout']), 800),
  ['event timeout', 300],
  ...withPrefix('call', CALL_KINDS, 150),
  ...withPrefix('call in handler', without(CALL_KINDS, NOT_IN_HANDLERS), 60),
  ...withPrefix('reader', ['late', 'never'], 50),
  ...withPrefix('level', [0, 1, 2], 1200),
  ...withPrefix('type', ['', 'webrtc', 'tcpIncoming', 'utpOutgoing'], 250),
  ['callback with a block', 1000],
  ['callback peer is choking', 2000],
  ['callback request was cancelled', 150],
  ['callback request was rejected', 150],
  ['callback request has timed out', 300],
  ['callback wire is closed', 250],
  ['callback wire was closed', 800],
  ['callback taken out', 30],
  ...withPrefix('respond', ['data', 'error', 'twice', 'too late'], 400),
  ...withPrefix(
    'extension',
    ['constructor', 'onHandshake', 'onExtendedHandshake', 'onMessage'],
    800
  ),
  ...withPrefix('path', ['end', 'destroy'], 300),
  ...withPrefix('path', ['end in a handler', 'destroy in a handler', 'destroy again'], 40),
  ...withPrefix('path', ['exchange as initiator', 'exchange as responder', 'exchange done'], 600),
  ...withPrefix('path', ['exchange void', 'plain answer'], 60),
  ...withPrefix('path', ['replaced _onRequest', 'replaced _onPiece', 'replaced _onCancel'], 300)
]
