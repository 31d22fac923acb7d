// Runs webtorrent on this package by npm overrides alone, beside webtorrent as it is: node checks/webtorrent.mjs
//
// Two clients in two processes transfer a torrent of several files over TCP, plain and encrypted. What they tell of
// their wires must be what they tell with their own library, and so must what the extension packages do.
import assert from 'node:assert'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { inOrder, run, start } from '../testkit/processes/command.mjs'
import { withFolder } from '../testkit/processes/folder.mjs'
import { installWebtorrent } from '../testkit/webtorrent/install.mjs'
import { startProgram } from '../testkit/webtorrent/program.mjs'

/** Sizes of the files of the torrent: some pieces hold more than one, and all is more than waits anywhere. */
const FILES = { 'a.bin': 24_000_001, 'b.bin': 300_001, 'c.txt': 7, 'd.bin': 65_536 }

/** Levels of encryption, as webtorrent numbers them: none, as the other side likes, and only RC4. */
const LEVELS = [0, 1, 2]

/** Who seeds and who downloads. Those with the original on one side show that both agree on the wire. */
const PAIRS = [
  ['ours', 'ours', LEVELS],
  ['original', 'ours', [2]],
  ['ours', 'original', [1, 2]]
]

/** The only thing that ours says and the original does not: how many requests it keeps, `announces-reqq`. */
const ANNOUNCED = /,reqq: 2000\b/g

/** Time limit of a program, in ms. */
const LIMIT = 60_000

await start(() =>
  withFolder(async (folder) => {
    const projects = await installWebtorrent()
    const content = path.join(folder, 'files')
    await makeFiles(content)
    await compareExtensions(projects)

    const expected = {}
    await inOrder(LEVELS, async (level) => {
      const sides = ['original', 'original'].map((name) => projects[name])
      expected[level] = await transfer(
        sides,
        level,
        content,
        path.join(folder, `original ${level}`)
      )
    })
    await inOrder(PAIRS, ([seeder, leecher, levels]) =>
      inOrder(levels, async (level) => {
        const name = `${seeder} seeds to ${leecher}, level ${level}`
        const sides = [projects[seeder], projects[leecher]]
        const told = await transfer(sides, level, content, path.join(folder, name))
        assert.deepStrictEqual(told, expected[level], name)
        console.log(`webtorrent ${name}: ok`)
      })
    )
    // Ours send other messages, so that only the files are compared.
    const sides = [projects['all ours'], projects['all ours']]
    await transfer(sides, 2, content, path.join(folder, 'all ours'))
    console.log('webtorrent with our extensions, too: ok')
  })
)

async function makeFiles(folder) {
  await mkdir(folder)
  await inOrder(Object.entries(FILES), ([name, size]) => {
    const bytes = Buffer.alloc(size, name)
    for (let at = 0; at + 4 < size; at += 4) bytes.writeInt32LE(Math.imul(at, 0x9e3779b1), at)
    return writeFile(path.join(folder, name), bytes)
  })
}

/** Runs ut_metadata, ut_pex and lt_donthave on wires of both. */
async function compareExtensions({ original, ours }) {
  const [expected, told] = await Promise.all(
    [original, ours].map((cwd) =>
      run(process.execPath, ['extensions.mjs'], { cwd, timeout: LIMIT })
    )
  )
  assert.deepStrictEqual(told.split('\n'), expected.split('\n'), 'extension packages')
  console.log('webtorrent extension packages: ok')
}

/** @returns {Promise<object>} what both sides told of their wires, without what depends on speed */
async function transfer([seeder, leecher], level, content, target) {
  const seed = startProgram(['seed.mjs', content, level], { cwd: seeder })
  try {
    const { magnet } = await seed.line()
    const leech = startProgram(['leech.mjs', target, level, magnet], { cwd: leecher })
    const downloaded = await leech.line().finally(leech.stop)
    await compareFiles(content, path.join(target, 'files'))
    seed.end()
    const seeded = await seed.line()
    return { seeder: seedingIn(seeded), leecher: leechingIn(downloaded) }
  } finally {
    seed.stop()
  }
}

async function compareFiles(from, to) {
  assert.deepStrictEqual((await readdir(to)).toSorted(), (await readdir(from)).toSorted())
  await inOrder(await readdir(from), async (name) => {
    const [sent, received] = await Promise.all(
      [from, to].map((folder) => readFile(path.join(folder, name)))
    )
    assert(sent.equals(received), `${name} differs`)
  })
}

/** The seeder learns of the last pieces only if the other side is there long enough. */
function seedingIn({ events, state }) {
  const told = leechingIn({ events, state })
  delete told.state
  delete told.peerPieces
  return told
}

function leechingIn({ events, state }) {
  const handshakes = state.handshakes.map((handshake) => handshake.replaceAll(ANNOUNCED, ''))
  return { ...state, handshakes, ...summary(events) }
}

/** In which order blocks are asked for is a matter of chance, but all before them is not. */
function summary(all) {
  const events = all.map((event) => event.replaceAll(ANNOUNCED, ''))
  const first = events.findIndex(isBlock)
  return { beginning: events.slice(0, first), blocks: events.filter(isBlock).toSorted() }
}

function isBlock(event) {
  return /^(?:request|piece)\(/.test(event)
}
