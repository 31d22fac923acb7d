// Real clients download what native wires serve from files.
import { once } from 'node:events'
import path from 'node:path'
import bencode from 'bencode'
import { clients } from '../testkit/clients/index.mjs'
import { hashFiles, infoHashOf } from '../testkit/files.mjs'
import { pwp } from '../testkit/wires.mjs'
import { makeTransfer, peerId, testWith } from './helpers/clients.mjs'
import { HOST } from './helpers/serving.mjs'

for (const name of ['libtorrent', 'transmission']) {
  testWith(name)(`${name} downloads a folder that a native wire serves`, async (t) => {
    const { torrent, data, copy } = await makeTransfer(t, 'a folder')
    const { info } = bencode.decode(torrent)
    const root = path.join(data, Buffer.from(info.name).toString())
    const files = info.files.map((file) => ({
      path: path.join(root, ...file.path.map((part) => Buffer.from(part).toString())),
      length: file.length
    }))
    const source = new pwp.PieceSource({ pieceLength: info['piece length'], files })
    source.on('error', (error) => t.fail(error.message))
    const infoHash = infoHashOf(torrent)
    const greet = (wire) => {
      wire.serve(source)
      wire.on('request', () => t.fail('no request is for us'))
      wire.on('interested', () => wire.unchoke())
      wire.on('handshake', () => {
        if (wire.hasFast) wire.haveAll()
        else wire.bitfield(Buffer.alloc(Math.ceil(source.count / 8), 0xff))
      })
    }
    const seeds = []
    const server = pwp.createServer({ infoHashes: infoHash })
    server.on('wire', (wire) => {
      seeds.push(wire)
      wire.prependListener('handshake', () => wire.handshake(infoHash, peerId(), { fast: true }))
      greet(wire)
    })
    await once(server.listen(0, HOST), 'listening')
    t.teardown(() => server.close())
    const client = clients[name]
    const peer = { host: HOST, port: server.address().port }
    const dials = client.can.dial
    const leecher = await client.leech(t, { torrent, folder: copy, ...(dials ? { peer } : {}) })
    if (!dials) {
      const wire = pwp.connect({ host: leecher.host, port: leecher.port })
      seeds.push(wire)
      greet(wire)
      wire.handshake(infoHash, peerId(), { fast: true })
    }
    t.teardown(() => seeds.forEach((wire) => wire.destroy()))
    await leecher.done
    t.is(await leecher.stop(), 0)
    t.deepEqual(await hashFiles(copy), await hashFiles(data))
    t.is(source.failures, 0)
    source.close()
  })
}
