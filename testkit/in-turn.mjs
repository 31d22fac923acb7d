// Runs asynchronous work one after the other.

/**
 * Performs each item after the one before has settled, until one gives a result.
 *
 * @template Item, Result
 * @param {Iterable<Item>} items
 * @param {(item: Item) => Promise<Result> | Result} perform
 * @returns {Promise<Result | null>} the first result that is not `null`, `undefined` or `false`
 */
export const inTurn = async (items, perform) => {
  for (const item of items) {
    // Each must see what the one before has done, so they cannot run at once.
    // oxlint-disable-next-line no-await-in-loop
    const result = await perform(item)
    if (result) return result
  }
  return null
}
