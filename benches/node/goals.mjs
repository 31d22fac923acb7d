// What native sockets are to reach, and the tables of what they do.
import { markdownTable } from '../../testkit/processes/markdown.mjs'
import { BARE } from './libraries.mjs'
import { figures, referencesOf, spread } from './report.mjs'
import { summary } from './statistics.mjs'

const ratio = (own, other) => own / other
const difference = (own, other) => own - other

/**
 * @typedef {object} Goal
 * @property {string} figure
 * @property {string} row with its part
 * @property {string} way
 * @property {string} of the way that it is compared with
 * @property {(own: number, other: number) => number} [by] default: the ratio
 * @property {number} [most]
 * @property {number} [least]
 *
 * @type {Goal[]}
 */
export const GOALS = [
  {
    figure: 'download by block, event loop',
    row: 'native download, warm, event loop',
    way: 'native',
    of: 'original',
    most: 0.25
  },
  {
    figure: 'download by block, CPU',
    row: 'native download, warm',
    way: 'native',
    of: 'original',
    most: 0.75
  },
  {
    figure: 'download by block into reused memory, CPU',
    row: 'native download, warm',
    way: 'native, reused memory',
    of: 'original',
    most: 0.45
  },
  {
    figure: '`fetchPiece()` with SHA-1, event loop',
    row: 'native download, warm, event loop',
    way: 'native, pieces with SHA-1',
    of: 'original',
    most: 0.1
  },
  {
    figure: '`fetchPiece()` with SHA-1, CPU',
    row: 'native download, warm',
    way: 'native, pieces with SHA-1',
    of: 'original and SHA-1',
    most: 0.75
  },
  {
    figure: "upload with `'request'`, event loop",
    row: 'native upload, warm, event loop',
    way: 'native',
    of: 'original',
    most: 0.12
  },
  {
    figure: "upload with `'request'`, CPU",
    row: 'native upload, warm',
    way: 'native',
    of: 'original',
    most: 0.65
  },
  {
    figure: 'upload with `serve()`, event loop',
    row: 'native upload, warm, event loop',
    way: 'native, serve',
    of: 'original',
    most: 0.02
  },
  {
    figure: 'idle connection, RSS',
    row: 'native, idle connection, RSS',
    way: 'native',
    of: 'original',
    most: 0.6
  },
  {
    figure: '`fetchPiece()` with a busy event loop, MB/s',
    row: 'native download, event loop busy',
    way: 'native, pieces with SHA-1',
    of: 'original',
    least: 10
  },
  {
    figure: 'lone message there and back, µs more',
    row: 'native, lone message there and back',
    way: 'native',
    of: 'piped',
    by: difference,
    most: 150
  },
  {
    figure: '200 connections, CPU',
    row: 'native, 200 connections, 100 MB each way, warm',
    way: 'native',
    of: BARE,
    most: 1.15
  },
  {
    figure: '200 connections, pieces into reused memory, CPU',
    row: 'native, 200 connections, 100 MB each way, warm',
    way: 'native, pieces, reused memory',
    of: BARE,
    most: 1
  }
]

/** @type {Goal[]} */
export const CLASS_GOALS = [
  ...['download', 'upload'].map((direction) => ({
    figure: `encrypted ${direction} by webtorrent, CPU`,
    row: `webtorrent, encrypted ${direction}, CPU`,
    way: 'ours',
    of: 'bittorrent-protocol',
    most: 0.75
  })),
  {
    figure: '100 encrypted connections to webtorrent, event loop',
    row: 'webtorrent, 100 encrypted connections, event loop',
    way: 'ours',
    of: 'bittorrent-protocol',
    most: 0.05
  }
]

/**
 * @param {object} result what `--json` writes
 * @returns {string} each goal with what was measured, then all figures, for each release of Node
 */
export const nativeTables = (result) => tablesOf(result, GOALS)

/**
 * @param {object} result what `--json` writes
 * @returns {string} the same for the class in place of that of bittorrent-protocol
 */
export const classTables = (result) => tablesOf(result, CLASS_GOALS)

function tablesOf({ machine, runs }, goals) {
  const about = `${machine.cpu}, ${machine.cores} cores, ${machine.platform}.`
  const all = runs.map(({ node, entries }) =>
    [`### All figures on Node ${node.slice(1)}`, tableOfWays(entries)].join('\n\n')
  )
  return [about, tableOfGoals(runs, goals), ...all].join('\n\n')
}

function tableOfGoals(runs, goals) {
  const titles = ['figure', 'of', 'goal', ...runs.map(({ node }) => `Node ${node.slice(1)}`)]
  const lines = goals.map((goal) => {
    const { figure, of, most, least } = goal
    const bound = most === undefined ? `at least ${least}` : `at most ${most}`
    return [figure, of, bound].concat(runs.map(({ entries }) => reached(goal, entries)))
  })
  return markdownTable(titles, lines, 2)
}

/** The median over the rounds, each of which is compared with itself. */
function reached({ row, way, of, by = ratio }, entries) {
  const { sides } = entries.find((entry) => entry.row === row) ?? { sides: {} }
  if (!sides[way] || !sides[of]) return '–'
  const values = sides[way].samples.map((own, round) => by(own, sides[of].samples[round]))
  return by === ratio ? withSpread(summary(values)) : figures(summary(values).median)
}

function tableOfWays(entries) {
  const references = referencesOf(entries)
  const titles = ['row', 'way', 'unit', 'figure', ...references.map((name) => `of ${name}`)]
  const lines = entries.flatMap(({ row, unit, sides, shares }) =>
    Object.keys(sides).map((way) => {
      const ofReferences = references.map((name) => withSpread(shares[way][name]))
      return [row, way, unit, figures(sides[way].median)].concat(ofReferences)
    })
  )
  return markdownTable(titles, lines, 3)
}

const withSpread = (value) => (value ? `${figures(value.median)} ${spread(value)}` : '–')
