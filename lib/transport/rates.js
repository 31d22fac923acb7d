// Limits of how fast native sockets are read and written: of one, and of many together.
'use strict'

const { native } = require('./native.js')
const { startRecords } = require('./records.js')
const { checkInteger, readFields } = require('../arguments.js')

// Limits that nobody holds any more must not keep their place in the addon.
const abandoned = new FinalizationRegistry(native.releaseRates)

/** A limit for each direction, which any number of wires share. */
class RateGroup {
  #number
  #limits = { download: 0, upload: 0 }

  /**
   * @param {{download?: number, upload?: number}} [limits] - in bytes a second, 0 for none
   * @throws {TypeError | RangeError} when one is wrong
   */
  constructor(limits) {
    const checked = toLimits('limits', limits ?? {}, this.#limits)
    startRecords()
    this.#number = native.createRates()
    abandoned.register(this, this.#number)
    this.#set(checked)
  }

  /** @returns {number} in bytes a second, 0 for none */
  get download() {
    return this.#limits.download
  }

  /** @returns {number} in bytes a second, 0 for none */
  get upload() {
    return this.#limits.upload
  }

  /**
   * Sets new limits; one that is left out stays.
   *
   * @param {{download?: number, upload?: number}} limits - in bytes a second, 0 for none
   * @throws {TypeError | RangeError} when one is wrong
   */
  setLimits(limits) {
    this.#set(toLimits('limits', limits, this.#limits))
  }

  #set(limits) {
    this.#limits = limits
    native.setRates(this.#number, limits.download, limits.upload)
  }

  /** @returns {number} for the addon */
  get _number() {
    return this.#number
  }
}

/** The limits of one wire: its own ones, and those of its group. */
class WireRates {
  constructor() {
    /** @type {RateGroup | null} */
    this.own = null
    /** @type {RateGroup | null} */
    this.group = null
  }

  get numbers() {
    return [this.own?._number ?? NONE, this.group?._number ?? NONE]
  }
}

/** No limits have this number. */
const NONE = 0xffffffff

function toLimits(name, value, before) {
  const { download = before.download, upload = before.upload } = readFields(name, value, [
    'download',
    'upload'
  ])
  checkInteger(`${name}.download`, download)
  checkInteger(`${name}.upload`, upload)
  return { download, upload }
}

/** @throws {TypeError} when it is no group */
function checkGroup(name, value) {
  if (!(value instanceof RateGroup)) throw new TypeError(`${name} must be a RateGroup`)
}

/**
 * Sets the limits of one wire by itself.
 *
 * @param {import('./link.js').Link} link
 * @param {{download?: number, upload?: number}} limits - in bytes a second, 0 for none
 */
function limitRates(link, limits) {
  link.rates ??= new WireRates()
  if (link.rates.own !== null) return link.rates.own.setLimits(limits)
  link.rates.own = new RateGroup(limits)
  link.pace()
}

/**
 * @param {import('./link.js').Link} link
 * @param {RateGroup | null} group - null for none
 */
function joinGroup(link, group) {
  if (group !== null) checkGroup('group', group)
  link.rates ??= new WireRates()
  link.rates.group = group
  link.pace()
}

module.exports = { RateGroup, checkGroup, joinGroup, limitRates }
