// Runs asynchronous work sequentially.

/**
 * Performs each item after the previous one has settled, until one gives a result.
 *
 * @template Item, Result
 * @param {Iterable<Item>} items
 * @param {(item: Item) => Promise<Result> | Result} perform
 * @returns {Promise<Result | null>} the first result that is not `null`, `undefined` or `false`
 */
export const inTurn = async (items, perform) => {
  for (const item of items) {
    // Each item depends on what the previous one did, so they cannot run concurrently.
    // oxlint-disable-next-line no-await-in-loop
    const result = await perform(item)
    if (result) return result
  }
  return null
}
