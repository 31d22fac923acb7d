// Wires of bittorrent-protocol with one fault each, which sessions must show.

/**
 * @param {Function} Wire the class without a fault
 * @returns {Record<string, {Faulty: Function, flavour?: string, shows: RegExp}>} what each does, the class, the
 *   sessions that show it first, and what the report of a difference must contain
 */
export const makeFaults = (Wire) => ({
  "emits 'piece' before 'download'": {
    Faulty: class extends Wire {
      emit(name, ...args) {
        if (name === 'download') {
          this.postponed = args
          return true
        }
        const isHeard = super.emit(name, ...args)
        if (name === 'piece') super.emit('download', ...this.postponed)
        return isHeard
      }
    },
    shows: /original: download.*\n.*ours: +piece/
  },
  'loses one event in a chunk of many': {
    Faulty: class extends Wire {
      _onHave(piece) {
        if (this._bufferSize < 30) super._onHave(piece)
        else this.peerPieces.set(piece, true)
      }
    },
    shows: /original: have/
  },
  'sends a wrong byte': {
    Faulty: class extends Wire {
      cancel(piece, offset, length) {
        super.cancel(piece, offset, length === 24 ? 25 : length)
      }
    },
    shows: /byte of output|callback/
  },
  'sends a byte too much': {
    Faulty: class extends Wire {
      port(number) {
        super.port(number)
        if (number === 65_535) this.keepAlive()
      }
    },
    shows: /sent \d+|byte of output/
  },
  'tells of a change before it has happened': {
    Faulty: class extends Wire {
      _onUnchoke() {
        this.emit('unchoke')
        this.peerChoking = false
      }
    },
    shows: /original: unchoke\(\) \| choking \w+ false/
  },
  'forgets a request that a choke has not failed': {
    Faulty: class extends Wire {
      _onChoke() {
        const waiting = this.requests
        super._onChoke()
        if (waiting.length > 1) waiting.pop()
      }
    },
    shows: /choke/
  },
  'calls back twice': {
    Faulty: class extends Wire {
      _onReject(...args) {
        const found = this.requests.find(({ offset }) => offset === args[1])
        super._onReject(...args)
        found?.callback(new Error('request was rejected'), null)
      }
    },
    shows: /ours: +callback/
  },
  'hands output over inside a call': {
    Faulty: class extends Wire {
      interested() {
        super.interested()
        this.read()
      }
    },
    shows: /ours: +output inside a call/
  },
  'sends the keep-alive late': {
    Faulty: class extends Wire {
      setKeepAlive(isOn) {
        clearInterval(this._keepAliveInterval)
        if (isOn === false) return
        this._keepAliveInterval = setInterval(() => this.keepAlive(), 60_000)
      }
    },
    flavour: 'timers',
    shows: /tick: sent/
  },
  'fails the last request instead of the first when time is up': {
    Faulty: class extends Wire {
      _onTimeout() {
        this.requests.reverse()
        super._onTimeout()
      }
    },
    flavour: 'timers',
    shows: /request has timed out/
  },
  'leaves requests open at the end': {
    Faulty: class extends Wire {
      _onFinish() {
        this.requests = []
        super._onFinish()
      }
    },
    shows: /wire was closed/
  },
  "emits 'handshake' before the key exchange is told of": {
    Faulty: class extends Wire {
      emit(name, ...args) {
        if (name !== 'crypto-handshake') return super.emit(name, ...args)
        queueMicrotask(() => super.emit(name, ...args))
        return true
      }
    },
    flavour: 'encrypted',
    shows: /original: .*(crypto-handshake|exchange)|> handshake/
  },
  'offers plaintext where only RC4 is wanted': {
    Faulty: class extends Wire {
      startEncryption(infoHash) {
        this._peEnabled = 1
        super.startEncryption(infoHash)
      }
    },
    flavour: 'encrypted',
    shows: /original: exchange: .* offers 2/
  },
  'prefers RC4 where plaintext is offered': {
    Faulty: class extends Wire {
      setInfoHash(infoHash) {
        this._peEnabled = 2
        super.setInfoHash(infoHash)
      }
    },
    flavour: 'encrypted',
    shows: /method 2|encryption true 2/
  },
  'rejects a fast request silently': {
    Faulty: class extends Wire {
      reject(piece, offset, length) {
        if (this.amChoking && this.hasFast) this._pull(this.peerRequests, piece, offset, length)
        else super.reject(piece, offset, length)
      }
    },
    shows: /sent \d+|byte of output/
  },
  'keeps all pieces allowed': {
    Faulty: class extends Wire {
      _onAllowedFast(piece) {
        this.peerAllowedFastSet.unshift(piece)
        this.emit('allowed-fast', piece)
      }
    },
    shows: /allowed-fast/
  },
  'tells extensions late': {
    Faulty: class extends Wire {
      _onHandshake(hash, id, extensions) {
        const used = this._ext
        this._ext = {}
        super._onHandshake(hash, id, extensions)
        this._ext = used
        for (const name of Object.keys(used)) {
          used[name].onHandshake(this.peerId, this.peerId, extensions)
        }
      }
    },
    shows: /onHandshake/
  }
})
