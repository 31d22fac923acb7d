// The demo as its users run it, and what it does when something goes wrong.
import { mkdir, open, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ava from 'ava'
import { makeTorrent, temporaryFolder, writeFiles, writeManyFiles } from '../testkit/files.mjs'
import { startScript } from './helpers/scripts.mjs'

// Each test starts processes of its own: all at once would be too many for a small machine.
const test = ava.serial

test('the demo transfers generated data and prints a summary', async (t) => {
  const { demo, temporary } = await startDemo(t, ['--size', '8MiB'])
  t.is(await demo.ended, 0, demo.output)
  t.regex(demo.output, /^8388608 bytes in \d+\.\d\d s, \d+\.\d [MG]B\/s$/m)
  t.regex(demo.output, /^Seeder: +\d+\.\d\d CPU seconds per GB/m)
  t.regex(demo.output, /^Leecher: +\d+\.\d\d CPU seconds per GB/m)
  t.regex(demo.output, /^Compared .* 3 files without a difference$/m)
  t.deepEqual(await readdir(temporary), [])
})

test('the demo transfers once more by native sockets and prints both figures', async (t) => {
  const { demo, temporary } = await startDemo(t, ['--size', '8MiB', '--native'])
  t.is(await demo.ended, 0, demo.output)
  t.is(demo.output.match(/3 files without a difference/g).length, 2)
  for (const line of ['Seeder, CPU', 'Seeder, event loop', 'Leecher, CPU', 'Leecher, event loop']) {
    t.regex(demo.output, new RegExp(`^${line} +\\d+\\.\\d\\d +\\d+\\.\\d\\d$`, 'm'))
  }
  t.deepEqual(await readdir(temporary), [])
})

test('the demo transfers a folder and leaves no other files', async (t) => {
  const folder = await temporaryFolder(t)
  await writeManyFiles(path.join(folder, 'source'))
  await writeFiles(path.join(folder, 'source'), { 'b/empty.bin': 0 })
  const { demo } = await startDemo(t, [path.join(folder, 'source')])
  t.is(await demo.ended, 0, demo.output)
  t.regex(demo.output, /5 files without a difference/)
  t.deepEqual(await readdir(folder), ['source'])
})

test('the demo transfers a single file', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { 'one.bin': 1_000_003 })
  const { demo } = await startDemo(t, [path.join(folder, 'one.bin')])
  t.is(await demo.ended, 0, demo.output)
})

test('the demo transfers the data of a .torrent', async (t) => {
  const { torrentPath, folder } = await makeSource(t)
  const { demo } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 0, demo.output)
})

test('the demo fails when the data of the seeder is corrupt', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  await corrupt(path.join(source, 'b', 'c.bin'), 1_000_000)
  const { demo, temporary } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 1)
  t.regex(demo.output, /piece \d+ has a wrong SHA-1/)
  t.deepEqual(await readdir(temporary), [])
})

test('the demo fails when the data of the seeder has another length', async (t) => {
  const { torrentPath, folder, source } = await makeSource(t)
  await writeFile(path.join(source, 'a.bin'), 'short')
  const { demo, temporary } = await startDemo(t, [torrentPath, '--data', folder])
  t.is(await demo.ended, 1)
  t.regex(demo.output, /a\.bin has 5 bytes, the torrent says 3000001/)
  t.deepEqual(await readdir(temporary), [])
})

test('Ctrl-C ends both processes of the demo and removes its folder', async (t) => {
  // So slow that it cannot finish before it is interrupted.
  const { demo, temporary } = await startDemo(t, ['--size', '64MiB', '--rate', '64KiB'])
  const [, seeder] = await demo.printed(/Seeder (\d+)/)
  const [, leecher] = await demo.printed(/Leecher (\d+)/)
  await demo.printed(/[1-9]\d*(\.\d+)? [KM]B of/)
  demo.interrupt()
  t.is(await demo.ended, 130)
  t.deepEqual([seeder, leecher].filter(isRunning), [])
  t.deepEqual(await readdir(temporary), [])
})

/** Starts the demo with a folder of its own for temporary files. */
async function startDemo(t, args) {
  const temporary = await temporaryFolder(t)
  const env = { TMPDIR: temporary, TEMP: temporary, TMP: temporary }
  return { temporary, demo: startScript(t, 'demo/demo.js', args, env) }
}

async function makeSource(t) {
  const folder = await temporaryFolder(t)
  const source = path.join(folder, 'source')
  await writeManyFiles(source)
  const torrentPath = path.join(folder, 'torrents', 'x.torrent')
  await mkdir(path.dirname(torrentPath))
  await writeFile(torrentPath, await makeTorrent(source))
  return { folder, source, torrentPath }
}

async function corrupt(file, position) {
  const handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position)
  buffer[0] ^= 1
  await handle.write(buffer, 0, 1, position)
  await handle.close()
}

function isRunning(pid) {
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}
