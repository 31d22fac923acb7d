// The diagnostics channels; docs/diagnostics.md documents their names.
'use strict'

const { channel } = require('node:diagnostics_channel')

module.exports = {
  close: channel('peer-wire-native:close'),
  dropped: channel('peer-wire-native:answer:dropped'),
  handshake: channel('peer-wire-native:handshake'),
  received: channel('peer-wire-native:message:received'),
  sourceError: channel('peer-wire-native:source:error'),
  sent: channel('peer-wire-native:message:sent')
}
