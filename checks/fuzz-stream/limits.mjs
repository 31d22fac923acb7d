// What ends a request of a user early: a signal and a deadline, and what the wire must do then.
import { encodeMessage } from '../../testkit/messages.mjs'
import { clock } from '../../testkit/sessions/session-runner.mjs'

/** The message of the reason of an abort. */
export const ABORTED = 'aborted by the user'

export class Limits {
  /** What `request()` takes. */
  options = {}
  isAborted = false
  #observer
  #request = null // whom they are for
  #controller = null
  #reason = new Error(ABORTED)
  #timeout
  #due = Infinity
  #timer

  /** @param {import('./observer.mjs').Observer} observer @param {object} random */
  constructor(observer, random) {
    this.#observer = observer
    this.#timeout = random.pick([undefined, null, 0, 5, 20, 2 ** 31 - 1])
    if (this.#timeout !== undefined) this.options.timeout = this.#timeout
    if (random.chance(0.3)) return
    this.#controller = new AbortController()
    this.options.signal = this.#controller.signal
    if (random.chance(0.1)) this.abort()
  }

  /** Call before the request is made: a timer that is due just before that of the wire expects its cancel. */
  watch(request) {
    this.#request = request
    if (!this.#timeout || !request.isAccepted) return
    this.#due = clock.now + this.#timeout
    this.#timer = setTimeout(() => this.#expectCancel(), this.#timeout)
    this.#timer.unref()
  }

  get mayAbort() {
    return this.#controller !== null && !this.isAborted
  }

  abort() {
    this.isAborted = true
    if (this.#request !== null) this.#expectCancel()
    this.#controller.abort(this.#reason)
  }

  /** The peer is told before the callback is called. */
  #expectCancel() {
    const { piece, offset, length } = this.#request
    if (this.#observer.requests.open.includes(this.#request))
      this.#observer.expect(encodeMessage({ type: 'cancel', piece, offset, length }))
  }

  /** @returns {string | null} what is wrong with the error of a callback */
  judge(error) {
    clearTimeout(this.#timer)
    if (error?.message === ABORTED)
      return error === this.#reason && this.isAborted ? null : 'a reason that nobody gave'
    if (error?.code === 'ERR_PWP_REQUEST_TIMEOUT')
      return clock.now === this.#due ? null : `a deadline of ${this.#due} ms ended a request`
    return null
  }

  /** Whether it should have ended before. */
  get isOverdue() {
    return this.isAborted || clock.now > this.#due
  }
}
