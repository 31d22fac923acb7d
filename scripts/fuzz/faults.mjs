// Faults that a wire might have: with each of them the fuzzer must find something, and that one.

/**
 * @typedef {object} Fault
 * @property {RegExp} shows - what a finding says of this fault, and of no other
 * @property {(wire: object) => void} plant
 */

/** @type {Record<string, Fault>} */
export const faults = {
  'calls a callback twice': {
    shows: /a callback was called again/,
    plant(wire) {
      const { request } = wire
      wire.request = (piece, offset, length, callback) => {
        const twice = (...outcome) => {
          callback(...outcome)
          callback(...outcome)
        }
        request.call(wire, piece, offset, length, twice)
      }
    }
  },
  'emits close twice': {
    shows: /number of 'close': 2 instead of 1/,
    plant: (wire) => wire.on('finish', () => wire.emit('close'))
  },
  'loses what is sent in a listener': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const { have } = wire
      let isInListener = false
      wire.prependListener('unchoke', () => {
        isInListener = true
        setImmediate(() => (isInListener = false))
      })
      wire.have = (piece) => (isInListener ? undefined : have.call(wire, piece))
    }
  },
  'swallows an event': {
    shows: /event \d+: .* instead of port \d+/,
    plant(wire) {
      const { emit } = wire
      wire.emit = (name, ...values) => name !== 'port' && emit.call(wire, name, ...values)
    }
  },
  'leaves a timer': {
    shows: /\d timers are left/,
    plant: (wire) => setInterval(() => wire, 1000)
  },
  'ends the process': {
    shows: /the process ended with (?:SIGABRT|134) in this case/,
    plant: (wire) => wire.on('interested', () => process.abort())
  },
  'throws into the void': {
    shows: /Error: into the void/,
    plant: (wire) =>
      wire.on('handshake', () => {
        throw new Error('into the void')
      })
  }
}

/**
 * @param {Function} createWire
 * @param {string} name of a fault
 * @returns {Function} one that makes wires with the fault
 */
export const withFault = (createWire, name) => (options) => {
  const wire = createWire(options)
  faults[name].plant(wire)
  return wire
}
