// Parses and formats numbers of bytes for people.
'use strict'

const UNITS = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3
}

/**
 * @param {string} text such as '64MiB', '1.5GB' or '1000'
 * @returns {number} bytes, at least 1
 */
function parseSize(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text) ?? []
  const bytes = Math.round(Number(number) * UNITS[unit])
  if (!(bytes >= 1)) throw new Error(`not a size: ${text} (write it as 64MiB or 1.5GB)`)
  return bytes
}

/**
 * @param {number} bytes
 * @returns {string} such as '268.4 MB'
 */
function formatBytes(bytes) {
  const unit = ['GB', 'MB', 'KB'].find((name) => bytes >= UNITS[name])
  return unit ? `${(bytes / UNITS[unit]).toFixed(1)} ${unit}` : `${Math.round(bytes)} B`
}

module.exports = { formatBytes, parseSize }
