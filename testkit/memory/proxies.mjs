// Objects that wrap a wire, as reactive stores, decorators and membranes do.

const proxies = new WeakMap()

/** Wraps each object read from a property, as Vue's reactive() does, but not functions or bytes. */
const reactive = (target) => {
  const tag = Object.prototype.toString.call(target).slice(8, -1)
  if (tag !== 'Object' && tag !== 'Array') return target
  if (!proxies.has(target)) {
    const get = (object, name, receiver) => {
      const value = Reflect.get(object, name, receiver)
      return typeof value === 'object' && value !== null ? reactive(value) : value
    }
    proxies.set(target, new Proxy(target, { get }))
  }
  return proxies.get(target)
}

const forwarding = (target) =>
  new Proxy(target, {
    get: (object, name) => Reflect.get(object, name),
    set: (object, name, value) => Reflect.set(object, name, value)
  })

/** The kinds of proxies: each wraps a wire. */
export const PROXIES = {
  'a proxy without traps': (wire) => new Proxy(wire, {}),
  'a proxy of a proxy': (wire) => new Proxy(new Proxy(wire, {}), {}),
  'a proxy that forwards to the wire': forwarding,
  'a reactive proxy': reactive,
  'an object that inherits from the wire': (wire) => Object.create(wire)
}
