// Faults of the extension protocol, as those of faults.mjs.

/** @type {Record<string, import('./faults.mjs').Fault>} */
export const extendingFaults = {
  'sends its extended handshake twice': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const session = wire._getSession()
      const { greet } = session
      session.greet = function () {
        const wasSent = this.extensions?.isSent
        greet.call(this)
        if (wasSent === false && this.extensions.isSent) this.sendExtendedHandshake()
      }
    }
  },
  'sends no further extended handshake': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant: (wire) =>
      afterUse(wire, (session) => {
        session.sendExtendedHandshake = function (own) {
          if (!this.extensions.isSent || own !== undefined)
            Object.getPrototypeOf(this).sendExtendedHandshake.call(this, own)
        }
      })
  },
  'sends no extended handshake when its handshake comes second': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const { handshake } = wire
      const session = wire._getSession()
      wire.handshake = function (...values) {
        session.greet = () => {}
        try {
          return handshake.apply(this, values)
        } finally {
          delete session.greet
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
      afterUse(wire, (session, extension) => {
        session.onExtended = function (id, payload) {
          if (!(id in this.extensions.mapping)) extension.onMessage?.(payload)
          Object.getPrototypeOf(this).onExtended.call(this, id, payload)
        }
      })
  },
  'emits a message before its extension has it': {
    shows: /an extension was not told of its message/,
    plant(wire) {
      const session = wire._getSession()
      session.onExtended = function (id, payload) {
        this.face.extended(this.wire, id, payload)
        if (!this.isClosed) this.extensions?.onMessage(id, payload)
      }
    }
  },
  'does not tell an extension what it knows': {
    shows: /was not told of what the peer has announced/,
    plant: (wire) =>
      afterUse(wire, ({ extensions }) => {
        extensions.announceTo = () => {}
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

/** Calls `act` with the session of a wire, and an extension that was used. */
function afterUse(wire, act) {
  const { use } = wire
  wire.use = function (Extension) {
    const extension = use.call(this, Extension)
    act(wire._getSession(), extension)
    return extension
  }
}
