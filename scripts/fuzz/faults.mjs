// Faults that a wire might have: with each of them the fuzzer must find something.

/** @type {Record<string, (wire: object) => void>} */
export const faults = {
  'calls a callback twice': (wire) => {
    const { request } = wire
    wire.request = (piece, offset, length, callback) => {
      const twice = (...outcome) => {
        callback(...outcome)
        callback(...outcome)
      }
      request.call(wire, piece, offset, length, twice)
    }
  },
  'emits close twice': (wire) => wire.on('finish', () => wire.emit('close')),
  'loses what is sent in a listener': (wire) => {
    const { have } = wire
    let isInListener = false
    wire.prependListener('unchoke', () => {
      isInListener = true
      setImmediate(() => (isInListener = false))
    })
    wire.have = (piece) => (isInListener ? undefined : have.call(wire, piece))
  },
  'swallows an event': (wire) => {
    const { emit } = wire
    wire.emit = (name, ...values) => name !== 'port' && emit.call(wire, name, ...values)
  },
  'leaves a timer': (wire) => setInterval(() => wire, 1000),
  'ends the process': (wire) => wire.on('interested', () => process.abort()),
  'throws into the void': (wire) =>
    wire.on('handshake', () => {
      throw new Error('into the void')
    })
}

/**
 * @param {Function} createWire
 * @param {string} name of a fault
 * @returns {Function} one that makes wires with the fault
 */
export const withFault = (createWire, name) => (options) => {
  const wire = createWire(options)
  faults[name](wire)
  return wire
}
