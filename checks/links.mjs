// Checks that each relative link in the Markdown files leads to an existing file and heading.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT, run, start } from '../testkit/processes/command.mjs'

const LINK = /\]\(([^()\s]+)\)/g
const FENCED = /^```.*?^```$/gms

/** Links of a file, except those to other sites and those in code. */
function linksOf(text) {
  const prose = text.replace(FENCED, '').replace(/`[^`]*`/g, '')
  return [...prose.matchAll(LINK)].map(([, link]) => link).filter((link) => !/^\w+:/.test(link))
}

/** Whether a link in `file` leads to an existing target. */
function resolves(file, link) {
  const [name, heading] = link.split('#')
  const target = name === '' ? file : path.join(path.dirname(file), name)
  if (!existsSync(target)) return false
  return heading === undefined || anchorsOf(target).includes(heading)
}

/** The anchors that rendered headings get: lower case, hyphens, no punctuation. */
function anchorsOf(file) {
  const text = readFileSync(file, 'utf8').replace(FENCED, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  )
}

await start(async () => {
  const args = ['ls-files', '-z', '-co', '--exclude-standard', '*.md']
  const files = (await run('git', args, { cwd: ROOT })).split('\0').filter(Boolean)
  const broken = files.flatMap((name) => {
    const file = path.join(ROOT, name)
    const links = linksOf(readFileSync(file, 'utf8'))
    return links.filter((link) => !resolves(file, link)).map((link) => `${name}: ${link}`)
  })
  if (broken.length > 0) throw new Error(`These links lead nowhere:\n${broken.join('\n')}`)
  console.log(`links: ${files.length} files ok`)
})
