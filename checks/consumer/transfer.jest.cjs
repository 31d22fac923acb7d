// Uses the package inside jest, whose tests run in a realm of their own and may fake the clock.
/* global describe, test, expect, jest, afterEach */
'use strict'

const vm = require('node:vm')
const pwp = require('peer-wire-protocol')
const { INFO_HASH, LEECH_ID, makeUnchoked, readAll, transfer } = require('./transfer.cjs')

/** Makes a typed array in a third realm. */
const foreign = vm.runInNewContext('(bytes) => Uint8Array.from(bytes)')

describe('a wire', () => {
  test('transfers', async () => {
    expect(await transfer(() => pwp())).toBeGreaterThan(0)
    expect(await transfer(() => new (class extends pwp {})())).toBeGreaterThan(0)
  })

  test.each([
    ['Buffer', (bytes) => Buffer.from(bytes)],
    ['Uint8Array', (bytes) => Uint8Array.from(bytes)],
    ['Uint8Array of another realm', foreign]
  ])('accepts a %s', (_name, toBytes) => {
    const wire = pwp()
    wire.handshake(toBytes(INFO_HASH), toBytes(LEECH_ID))
    wire.bitfield(toBytes([0xff]))
    wire.piece(0, 0, toBytes([1, 2, 3]))
    wire.extended(1, toBytes([4]))
    const sent = readAll(wire)
    expect(sent.subarray(28, 48).equals(INFO_HASH)).toBe(true)
    expect(sent.subarray(48, 68).equals(LEECH_ID)).toBe(true)
    expect(sent.toString('hex', 68, 74)).toBe('0000000205ff')
    expect(sent.toString('hex', 74, 90)).toBe('0000000c070000000000000000010203')
    expect(sent.toString('hex', 90)).toBe('00000003140104')
    wire.destroy()
  })

  test.each([
    ['Buffer', (bytes) => Buffer.from(bytes)],
    ['Uint8Array', (bytes) => Uint8Array.from(bytes)],
    ['Uint8Array of another realm', foreign]
  ])('reads from a %s', (_name, toBytes) => {
    const wire = pwp()
    const haves = []
    wire.on('have', (piece) => haves.push(piece))
    const other = pwp()
    other.handshake(INFO_HASH, LEECH_ID)
    other.have(7)
    wire.write(toBytes(readAll(other)))
    expect(haves).toEqual([7])
  })
})

describe.each([
  ['all faked', {}],
  ['process.nextTick left alone', { doNotFake: ['nextTick'] }]
])('with the timers of jest, %s', (_name, options) => {
  afterEach(() => jest.useRealTimers())

  test('a request times out', () => {
    jest.useFakeTimers(options)
    const wire = makeUnchoked(pwp)
    const events = []
    wire.setTimeout(5000, () => events.push('timeout'))
    wire.request(0, 0, 16_384, (error) => events.push(error.message))
    jest.advanceTimersByTime(4999)
    expect(events).toEqual([])
    jest.advanceTimersByTime(1)
    expect(events).toEqual(['request has timed out', 'timeout'])
  })

  test('keep-alives are sent', () => {
    jest.useFakeTimers(options)
    const wire = pwp()
    wire.setKeepAlive(true)
    jest.advanceTimersByTime(59_999)
    expect(wire.read()).toBe(null)
    jest.advanceTimersByTime(60_001)
    expect(readAll(wire).toString('hex')).toBe('0000000000000000')
    wire.setKeepAlive(false)
    jest.advanceTimersByTime(600_000)
    expect(wire.read()).toBe(null)
  })
})
