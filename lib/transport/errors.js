// Errors of native sockets, with the codes and texts of Node's own.
'use strict'

const { getSystemErrorMap, getSystemErrorName } = require('node:util')

const { withCode } = require('../errors.js')

/**
 * @param {string} syscall
 * @param {number} errno - positive; 0 if the system has said none
 * @param {{address?: string, port?: number}} [place]
 * @param {string} [note] - what follows the code
 * @returns {Error} of a failed call of the system, as Node makes it
 */
function systemError(syscall, errno, { address, port } = {}, note = '') {
  const code = errno === 0 ? 'UNKNOWN' : nameOf(errno)
  const where = address === undefined ? '' : ` ${address}${port > 0 ? `:${port}` : ''}`
  const error = new Error(`${syscall} ${code}${note}${where}`)
  error.errno = -errno
  error.code = code
  error.syscall = syscall
  if (address !== undefined) error.address = address
  if (port > 0) error.port = port
  return error
}

function nameOf(errno) {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `ERRNO_${errno}`
  }
}

/** What Node adds to the errors of a server. */
function explain(errno) {
  // Not in all runtimes.
  const text = getSystemErrorMap?.().get(-errno)?.[1]
  return text === undefined ? '' : `: ${text}`
}

/** @param {string} line - operation and number */
function toSocketError(line) {
  const [syscall, errno] = line.split(' ')
  return systemError(syscall, Number(errno))
}

/**
 * @param {string} line - operation and number
 * @param {{address: string, port: number}} asked - where the server was to listen
 */
function toListenError(line, asked) {
  const errno = Number(line.split(' ')[1])
  // Node names binding and listening alike.
  return systemError('listen', errno, asked, explain(errno))
}

/**
 * @param {string[]} lines - see src/binding/transport/text.rs
 * @param {{address: string, port: number} | null} local - ours, if one was asked for
 */
function toDialError([isTimeout, ...attempts], local) {
  if (isTimeout === '1') return connectTimedOut()
  const errors = attempts.map((attempt) => {
    const [address, digits, syscall, errno] = attempt.split(' ')
    const port = Number(digits)
    if (syscall === 'timeout') return connectTimedOut({ address, port })
    const isOurs = syscall === 'bind' && local !== null
    return systemError(syscall, Number(errno), isOurs ? local : { address, port })
  })
  if (errors.length === 1) return errors[0]
  const error = new AggregateError(errors, '')
  error.code = errors[0]?.code
  return error
}

/** What is wrong with a file that could be opened: code and text, by the word of src/binding/transport/text.rs. */
const FILE_FAULTS = new Map([
  ['changed', ['ERR_PWP_FILE_CHANGED', 'file has changed']],
  ['short', ['ERR_PWP_FILE_SHORT', 'file ends before the piece']],
  ['type', ['ERR_PWP_FILE_TYPE', 'not a file']]
])

/** @returns {Error} of a file of a source */
function toFileError(line, path, piece) {
  const fault = FILE_FAULTS.get(line)
  if (fault === undefined) {
    const [syscall, errno] = line.split(' ')
    const error = systemError(syscall, Number(errno))
    error.message += ` '${path}'`
    return Object.assign(error, { path, piece })
  }
  const [code, message] = fault
  return Object.assign(withCode(code, `${message}: '${path}'`), { path, piece })
}

/** @param {{address: string, port: number}} [peer] - none if it was not one that took too long */
function connectTimedOut(peer) {
  const where = peer === undefined ? '' : ` ${peer.address}:${peer.port}`
  const error = new Error(`connect ETIMEDOUT${where}`)
  return Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect' }, peer)
}

module.exports = {
  connectTimedOut,
  toDialError,
  toFileError,
  toListenError,
  toSocketError
}
