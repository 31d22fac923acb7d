// Loads the addon, or tells why it cannot be loaded.
'use strict'

/**
 * What errors say that only mean: this place has no binary. The first is the summary of the generated
 * loader; it keeps nothing but the texts of what it met.
 */
const MISSING = [
  /^Cannot find native binding/,
  /^Cannot find (?:module|package) '(?:\.\/)?peer-wire-native[.-]/
]

/**
 * @returns {object} the exports of the addon
 * @throws {Error} that tells the true cause
 */
function load() {
  try {
    return require('../native.js')
  } catch (cause) {
    throw new Error(explain(findReasons(cause)), { cause })
  }
}

function explain(reasons) {
  const platform = `${process.platform} ${process.arch}`
  if (reasons.length > 0) {
    return `peer-wire-native cannot load its binary for ${platform}: ${reasons.join('; ')}`
  }
  return (
    `peer-wire-native has no binary for ${platform}: install Rust (https://rustup.rs) and run ` +
    '"npm rebuild"'
  )
}

/** The loader chains an error for each place it tried, the first one innermost. */
function findReasons(error) {
  const reasons = new Set()
  for (let cause = error; cause; cause = cause.cause) {
    const text = String(cause.message)
    if (!MISSING.some((pattern) => pattern.test(text))) reasons.add(text)
  }
  return [...reasons].toReversed()
}

module.exports = { load }
