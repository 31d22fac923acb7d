// Loads the addon, or throws an error that says why it cannot be loaded.
'use strict'

/**
 * Texts of errors that only mean that there is no binary in this place. The first is the summary of the
 * generated loader, which keeps the other errors as texts alone.
 */
const MISSING = [
  /^Cannot find native binding/,
  /^Cannot find (?:module|package) '(?:\.\/)?peer-wire-native[.-]/
]

/**
 * @returns {object} the exports of the addon
 * @throws {Error} that names the real reason
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

/** The loader chains one error for each place it tried, the first place innermost. */
function findReasons(error) {
  const reasons = new Set()
  for (let cause = error; cause; cause = cause.cause) {
    const text = String(cause.message)
    if (!MISSING.some((pattern) => pattern.test(text))) reasons.add(text)
  }
  return [...reasons].toReversed()
}

module.exports = { load }
