// Judges a soak: what was transferred, and how the memory of a process developed.

/**
 * Growth that counts as a leak if the soak is long enough, in KiB per minute: less than a KiB per
 * connection. RSS varies by some MiB with the timing of the collector.
 */
const MAX_SLOPES = { rss: 512, heapUsed: 128 }

/** Minimum length of the second half for the slope to count, in minutes. */
const LONG = 5

/** Growth beyond noise even in a short soak, in KiB. */
const MAX_GROWTH = 64 * 1024

/**
 * @param {object} peer of process.mjs
 * @returns {string}
 */
export function describe({ name, counts, samples }) {
  const [rss, heap] = ['rss', 'heapUsed'].map((key) => slope(secondHalf(samples), key).toFixed(1))
  return (
    `${name}: ${counts.connections} connections, ${counts.blocks} blocks, ${counts.bytes} bytes ` +
    `verified, ${counts.wrong} wrong, ${lost(counts)} callbacks lost, ${counts.repeated} repeated, ` +
    `${counts.rejected} rejects, ${counts.allowed} allowed fast, ${counts.announced} extended ` +
    `handshakes, ${counts.messages} messages, ${counts.garbled} garbled, ` +
    `RSS ${rss} KiB/min, heap ${heap} KiB/min`
  )
}

/**
 * @param {object} peer
 * @returns {string[]} what went wrong
 */
export function checkTransfers({ name, counts, code }) {
  const problems = {
    'nothing was transferred': counts.blocks === 0,
    'no request was rejected': counts.rejected === 0,
    'no piece was allowed fast': counts.allowed === 0,
    'no message of an extension came': counts.announced === 0 || counts.messages === 0,
    [`${counts.wrong} blocks were wrong`]: counts.wrong > 0,
    [`${counts.garbled} messages of an extension were wrong`]: counts.garbled > 0,
    [`${lost(counts)} callbacks were lost`]: lost(counts) > 0,
    [`${counts.repeated} callbacks were repeated`]: counts.repeated > 0,
    [`ended with ${code}`]: code !== 0
  }
  return Object.keys(problems)
    .filter((what) => problems[what])
    .map((what) => `${name}: ${what}`)
}

/**
 * @param {object} peer
 * @returns {string[]} what went wrong
 */
export function checkMemory({ name, samples }) {
  const half = secondHalf(samples)
  const minutes = (half.at(-1).seconds - half[0].seconds) / 60
  return Object.entries(MAX_SLOPES).flatMap(([key, maxSlope]) => {
    const perMinute = slope(half, key)
    const isLeak = minutes >= LONG ? perMinute > maxSlope : perMinute * minutes > MAX_GROWTH
    return isLeak ? [`${name}: ${key} grows by ${perMinute.toFixed(1)} KiB/min`] : []
  })
}

const lost = ({ asked, settled }) => asked - settled

const secondHalf = (samples) => samples.slice(Math.floor((samples.length - 1) / 2))

/** Theil-Sen slope: the median of the slopes of all pairs, which single outliers do not affect. */
function slope(samples, key) {
  const slopes = samples.flatMap((a, index) =>
    samples.slice(index + 1).map((b) => ((b[key] - a[key]) / 1024 / (b.seconds - a.seconds)) * 60)
  )
  return slopes.toSorted((a, b) => a - b)[slopes.length >> 1]
}
