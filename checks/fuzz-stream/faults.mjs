// Faults planted in wires: the fuzzer must find each of them, and report that one.
import { frame } from '../../testkit/messages.mjs'
import { extendingFaults } from './extending-faults.mjs'
import { ABORTED } from './limits.mjs'

/**
 * @typedef {object} Fault
 * @property {RegExp} shows - matches the finding of this fault, and of no other
 * @property {(wire: object, createWire: Function) => void} [plant]
 * @property {(createWire: Function, options: object) => object} [make] - makes a wire with the fault
 */

/** @type {Record<string, Fault>} */
export const faults = {
  'calls a callback twice': {
    shows: /a callback was called again/,
    plant(wire) {
      const { request } = wire
      wire.request = (...values) => {
        const given = values.map((value) => (typeof value === 'function' ? twice(value) : value))
        request.apply(wire, given)
      }
    }
  },
  'cancels nothing that a signal or a deadline ends': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant: (wire) =>
      wrapRequests(wire, ({ signal, ...others }, callback) => {
        let isOver = false
        const settle = (...outcome) => {
          if (!isOver) callback(...outcome)
          isOver = true
        }
        signal?.addEventListener('abort', () => settle(signal.reason))
        return [others, settle]
      })
  },
  'ends the oldest of equal requests': {
    shows: /a reason that nobody gave|other request at \d+|a request without limits was ended/,
    plant: (wire) =>
      wrapRequests(wire, (options, callback, [piece, offset, length]) => {
        const isSame = (one) =>
          one.piece === piece && one.offset === offset && one.length === length
        const swap = (error, block) => {
          const oldest = wire.requests.find(isSame)
          if (error?.message === ABORTED && oldest !== undefined) oldest.callback(error)
          callback(error, block)
        }
        return [options, swap]
      })
  },
  'has no deadline for a request': {
    shows: /a request is open for too long|output of \d+ bytes/,
    plant: (wire) => wrapRequests(wire, ({ signal }, callback) => [{ signal }, callback])
  },
  'ignores signals': {
    shows: /a request is open for too long|output of \d+ bytes|a callback at a wrong time/,
    plant: (wire) => wrapRequests(wire, ({ timeout }, callback) => [{ timeout }, callback])
  },
  'emits close twice': {
    shows: /number of 'close': 2 instead of 1/,
    plant: (wire) => wire.on('finish', () => wire.emit('close'))
  },
  'loses what is sent in a listener': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const { have, stats } = wire
      let isInListener = false
      wire.prependListener('unchoke', () => {
        isInListener = true
        setImmediate(() => (isInListener = false))
      })
      wire.have = function (piece) {
        if (isInListener && piece >= 0) stats.call(this)
        else have.call(this, piece)
      }
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
  },
  'throws at an answer that does not fit': {
    shows: /RangeError: block.length must be \d+/,
    plant: (wire) =>
      answerWith(wire, (respond, length) => (error, block) => {
        if (!error && block?.length !== length)
          throw new RangeError(`block.length must be ${length}`)
        respond(error, block)
      })
  },
  'sends an answer that does not fit': {
    shows: /'upload' of \d+ bytes/,
    plant: (wire) =>
      answerWith(wire, (respond, length) => (error, block) => {
        const isWrong = Buffer.isBuffer(block) && block.length !== length
        respond(error, isWrong ? Buffer.alloc(length) : block)
      })
  },
  'counts no dropped answer': {
    shows: /droppedAnswers: 0 instead of \d+/,
    plant(wire) {
      const { stats } = wire
      wire.stats = function () {
        return { ...stats.call(this), droppedAnswers: 0 }
      }
    }
  },
  'gives blocks of memory that is lost': {
    shows: /event \d+: piece 7 7 (?:0{10}|\?) instead of /,
    plant: (wire) =>
      wire.prependListener('close', () => {
        if (wire.error?.code === LOST) wire.emit('piece', 7, 7, Buffer.alloc(5))
      })
  },
  'tells nobody of memory that is lost': {
    shows: /number of events: \d+ instead of \d+/,
    plant: (wire) =>
      wire.prependListener('close', () => {
        if (wire.error?.code === LOST) wire.error = null
      })
  },
  'fails for memory that it has read': {
    shows: /code: ERR_PWP_MEMORY_CHANGED instead of /,
    plant(wire) {
      const { write } = wire
      const lent = []
      wire.write = function (chunk, ...values) {
        const error = Object.assign(new Error('memory has changed'), { code: LOST })
        if (lent.some(({ memory, length }) => memory.byteLength !== length)) {
          process.nextTick(() => wire.destroy(error))
        }
        if (chunk.buffer) lent.push({ memory: chunk.buffer, length: chunk.buffer.byteLength })
        return write.call(this, chunk, ...values)
      }
    }
  },
  'takes a wrong option': {
    shows: /a wrong call was taken/,
    make(createWire, options) {
      try {
        return createWire(options)
      } catch {
        return createWire()
      }
    }
  },
  'does not name a wrong option': {
    shows: /no word of \w+ in an option is wrong/,
    make(createWire, options) {
      try {
        return createWire(options)
      } catch {
        throw new TypeError('an option is wrong')
      }
    }
  },
  'is never strict': {
    shows:
      /code: .* instead of ERR_PWP_|a strict wire (?:delivered|emitted)|no ERR_PWP_HANDSHAKE_SENT/,
    make: makeWith({ policy: 'lenient' })
  },
  'has no deadline': {
    shows: /no ERR_PWP_(?:HANDSHAKE|INACTIVITY)_TIMEOUT at \d+ ms/,
    make: makeWith({ handshakeTimeout: 0, inactivityTimeout: 0 })
  },
  'serves every torrent': {
    shows:
      /event \d+: .* instead of undefined|number of events: \d+ instead of 0|code: .* instead of ERR_PWP_INFO_HASH/,
    make: makeWith({ infoHashes: null })
  },
  'waits forever for rejects': {
    shows: /no reject within \d+(?:\.\d+)? ms, nor an error/,
    make: makeWith({ rejectTimeout: 0 })
  },
  'fails requests at a choke': {
    shows: /a choke failed a request/,
    plant(wire) {
      wire.prependListener('choke', () => {
        if (!wire.hasFast) return
        for (const { callback } of Array.from(wire.requests)) callback(new Error('peer is choking'))
      })
    }
  },
  'rejects twice': {
    shows: /a request was rejected \d+ times, not \d+/,
    plant(wire) {
      const reject = frame(REJECT, 7, 7, 7)
      wire.on('cancel', () => wire.hasFast && wire.push(reject))
    }
  },
  'drops requests without a reject': {
    shows: /\d+ rejects of \S+, not \d+/,
    plant(wire) {
      const { emit } = wire
      wire.emit = (name, ...values) =>
        (name === 'data' && isReject(values[0])) || emit.call(wire, name, ...values)
    }
  },
  ...extendingFaults,
  'copies no block': {
    shows: /a copied block shares its memory/,
    make: makeWith({ copyBlocks: false })
  },
  'reads what is for another copy': {
    shows: /event \d+: (?:have|piece) 1\d\d.* instead of (?:have|piece) /,
    plant(wire, createWire) {
      const { emit, write } = wire
      wire.write = function (...values) {
        lastFed = createWire
        return write.apply(this, values)
      }
      wire.emit = (name, ...values) => {
        if ((name === 'have' || name === 'piece') && lastFed !== createWire) values[0] += 100
        return emit.call(wire, name, ...values)
      }
    }
  },
  'does not know itself behind a proxy': {
    shows: /output of \d+ bytes, .* instead of \d+ bytes/,
    plant(wire) {
      const { have, stats } = wire
      wire.have = function (piece) {
        if (this !== wire && piece >= 0) stats.call(this)
        else have.call(this, piece)
      }
    }
  },
  'acts for a foreign object': {
    shows: /a wrong call was taken/,
    plant(wire) {
      for (const name of ['cancel', 'extended', 'have', 'interested', 'port', 'stats', 'unchoke']) {
        const method = wire[name]
        wire[name] = (...values) => method.apply(wire, values)
      }
    }
  }
}

const LOST = 'ERR_PWP_MEMORY_CHANGED'

/** Message id. */
const REJECT = 16

const isReject = (chunk) => chunk?.length === 17 && chunk[4] === REJECT

/** A callback that is called twice. */
const twice =
  (callback) =>
  (...outcome) => {
    callback(...outcome)
    callback(...outcome)
  }

/** Replaces the options and the callback of requests that have options. */
function wrapRequests(wire, wrap) {
  const { request } = wire
  wire.request = function (piece, offset, length, options, callback) {
    const isWrapped = typeof options === 'object' && typeof callback === 'function'
    const given = isWrapped ? wrap(options, callback, [piece, offset, length]) : [options, callback]
    return request.call(this, piece, offset, length, ...given)
  }
}

/** Makes wires with these options, overriding those requested. */
function makeWith(fixed) {
  return (createWire, options) => {
    createWire(options).destroy()
    return createWire({ ...options, ...fixed })
  }
}

/** The copy of the package that last received input. */
let lastFed = null

/** Replaces `respond`, both for listeners and in `peerRequests`. */
function answerWith(wire, wrap) {
  const { emit } = wire
  wire.emit = (name, ...values) => {
    if (name === 'request') {
      values[3] = wrap(values[3], values[2])
      wire.peerRequests.at(-1).callback = values[3]
    }
    return emit.call(wire, name, ...values)
  }
}

/**
 * @param {Function} createWire
 * @param {string} name of a fault
 * @returns {Function} one that makes wires with the fault
 */
export const withFault = (createWire, name) => (options) => {
  const { make, plant } = faults[name]
  const wire = make ? make(createWire, options) : createWire(options)
  plant?.(wire, createWire)
  return wire
}
