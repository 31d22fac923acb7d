// Faults of the extension protocol, as those of faults.mjs.

/** @type {Record<string, import('./faults.mjs').Fault>} */
export const extendingFaults = {
  'sends its extended handshake twice': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant: (wire) =>
      onExtensions(wire, (extensions) => {
        const { greet } = extensions
        extensions.greet = function () {
          const wasSent = this.isSent
          greet.call(this)
          if (!wasSent && this.isSent) this.sendHandshake(null)
        }
      })
  },
  'sends no further extended handshake': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant: (wire) =>
      onExtensions(wire, (extensions) => {
        const { sendHandshake } = Object.getPrototypeOf(extensions)
        extensions.sendHandshake = function (own) {
          if (!this.isSent || own !== null) sendHandshake.call(this, own)
        }
      })
  },
  'sends no extended handshake when its handshake comes second': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const { handshake } = wire
      wire.handshake = function (...values) {
        const { extensions } = wire._getSession()
        if (extensions !== null) extensions.greet = () => {}
        try {
          return handshake.apply(this, values)
        } finally {
          if (extensions !== null) delete extensions.greet
        }
      }
    }
  },
  'calls an extension after its end': {
    shows: /an extension was called after 'close'/,
    plant: (wire) =>
      afterUse(wire, (session, extension) => {
        wire.once('finish', () => extension.onMessage?.(Buffer.alloc(1)))
      })
  },
  'forgets extensions that a further handshake leaves out': {
    shows: /peerExtendedMapping: .* instead of /,
    plant: (wire) =>
      wire.prependListener('extended', (id, payload) => {
        const mapping = wire.peerExtendedMapping ?? {}
        for (const name of Object.keys(mapping))
          if (id === 0 && !payload.includes(name)) delete mapping[name]
      })
  },
  'emits a decoded handshake first': {
    shows: /'extended-handshake' came before 'extended'/,
    plant(wire) {
      const { emit } = wire
      let isNested = false
      wire.emit = function (name, ...values) {
        if (name === 'extended' && values[0] === 0 && !isNested && wire.peerExtendedHandshake) {
          isNested = true
          emit.call(wire, 'extended-handshake', wire.peerExtendedHandshake)
          isNested = false
        }
        return emit.call(wire, name, ...values)
      }
    }
  },
  'does not emit decoded handshakes': {
    shows: /no 'extended-handshake' before /,
    plant(wire) {
      const { emit } = wire
      wire.emit = (name, ...values) =>
        name !== 'extended-handshake' && emit.call(wire, name, ...values)
    }
  },
  'gives extensions messages of other ids': {
    shows: /got a message that is not for it/,
    plant: (wire) =>
      onExtensions(wire, (extensions, extension) => {
        const { onMessage } = Object.getPrototypeOf(extensions)
        extensions.onMessage = function (id, payload) {
          if (!(id in this.mapping)) extension?.onMessage?.(payload)
          onMessage.call(this, id, payload)
        }
      })
  },
  'emits a message before its extension has it': {
    shows: /an extension was not told of its message/,
    plant: (wire) =>
      onExtensions(wire, (extensions) => {
        const { emit } = wire
        const { onMessage } = Object.getPrototypeOf(extensions)
        let late = null
        extensions.onMessage = (...message) => (late = message)
        wire.emit = function (name, ...values) {
          const isHeard = emit.call(this, name, ...values)
          const message = late
          if (name === 'extended') late = null
          if (name === 'extended' && message !== null) onMessage.apply(extensions, message)
          return isHeard
        }
      })
  },
  'does not tell an extension what it knows': {
    shows: /was not told of what the peer has announced/,
    plant: (wire) =>
      onExtensions(wire, (extensions) => {
        const { tell } = Object.getPrototypeOf(extensions)
        extensions.tell = function (name) {
          const known = this.peerHandshake
          this.peerHandshake = null
          tell.call(this, name)
          this.peerHandshake ??= known
        }
      })
  },
  'tells nobody of the handshake': {
    shows: /the handshake was told to .* instead of /,
    plant: (wire) =>
      afterUse(wire, ({ extensions }) => {
        extensions.onHandshake = () => {}
      })
  },
  'does not check what a peer announces': {
    shows: /peerExtendedHandshake: .* instead of /,
    plant(wire) {
      wire.prependListener('extended', () => {
        if (wire.peerExtendedHandshake?.p === 6881) wire.peerExtendedHandshake.p = 6882
      })
    }
  }
}

/** Calls `act` with the extensions of a wire: at once if there are, else with the first that is used. */
function onExtensions(wire, act) {
  const { extensions } = wire._getSession()
  if (extensions !== null) act(extensions)
  else {
    const { use } = wire
    wire.use = function (Extension) {
      const extension = use.call(this, Extension)
      wire.use = use
      act(wire._getSession().extensions, extension)
      return extension
    }
  }
}

/** Calls `act` with the session of a wire, and an extension that was used. */
function afterUse(wire, act) {
  const { use } = wire
  wire.use = function (Extension) {
    const extension = use.call(this, Extension)
    act(wire._getSession(), extension)
    return extension
  }
}
