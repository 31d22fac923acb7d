// All rows of the report, in its order.
import { rows as answers } from './answers.mjs'
import { encryptedRow, rowsOfClass } from './class.mjs'
import { rows as connections } from './connections.mjs'
import { rows as download } from './download.mjs'
import { rows as exchanges } from './exchanges.mjs'
import { rows as haves } from './haves.mjs'
import { rows as largeMessages } from './large-messages.mjs'
import { rows as lifecycle } from './lifecycle.mjs'
import { rows as memory } from './memory.mjs'
import { rows as nativeBusy } from './native-busy.mjs'
import { rows as nativeConnections } from './native-connections.mjs'
import { rows as nativeLatency } from './native-latency.mjs'
import { rows as nativeMemory } from './native-memory.mjs'
import { rows as nativeTcp } from './native-tcp.mjs'
import { rows as pieces } from './pieces.mjs'
import { rows as rc4 } from './rc4.mjs'
import { rows as smallMessages } from './small-messages.mjs'
import { encryptedRows as encryptedTcp, rows as tcp } from './tcp.mjs'
import { rows as webtorrent } from './webtorrent.mjs'

/**
 * One measurement. `prepare` builds the inputs, untimed, and its result is kept between rounds;
 * `run` sets up, measures, and returns `values` (a number per metric) together with whatever `check`
 * needs; `check` throws when the outcome is wrong.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {Metric[]} metrics each is a line of the report
 * @property {(context: Context) => object | Promise<object>} prepare
 * @property {(context: Context, state: object) => Promise<{ values: Record<string, number> }>} run
 * @property {(outcome: object, state: object) => void} check
 * @property {string[]} [sides] default: the libraries
 * @property {Record<string, string>} [ways] instead of `sides`, names of what is compared and the side that each is
 *   of, for a row in which a library is used in several ways
 * @property {string} [group] of rows with ways, which have a table of their own
 * @property {boolean} [isSpread] its processes are not pinned
 * @property {boolean} [fresh] a process per sample instead of one per side
 * @property {number} [rounds] instead of the default
 * @property {number} [warmups] instead of the default
 * @property {number} [quickWarmups] the same of a quick run
 * @property {string[]} [runtimeArgs] for node
 * @property {(program: string) => boolean} [canRun] whether this Node can; always, by default
 *
 * @typedef {{ key: string, unit: string, part?: string, isRate?: boolean }} Metric less is better, but more of a
 *   rate; `part` of the row
 *
 * @typedef {object} Context
 * @property {import('../libraries.mjs').Library} library
 * @property {string} way the key of `ways`, or the side
 * @property {boolean} quick smaller inputs
 * @property {boolean} warmup the sample is dropped, so contents may be compared byte by byte
 */

/** @type {Row[]} */
export const rows = [
  ...tcp,
  ...connections,
  ...smallMessages,
  ...answers,
  ...download,
  ...pieces,
  ...haves,
  ...exchanges,
  ...rc4,
  ...encryptedTcp,
  ...nativeTcp,
  ...nativeBusy,
  ...nativeConnections,
  ...nativeLatency,
  ...nativeMemory,
  ...lifecycle,
  ...memory,
  ...largeMessages,
  ...rowsOfClass([
    ...tcp,
    ...connections,
    ...smallMessages,
    ...answers,
    ...download,
    ...encryptedTcp,
    ...lifecycle,
    ...memory
  ]),
  encryptedRow,
  ...webtorrent
]
