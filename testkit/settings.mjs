// Seed and number of random cases, which environment variables can set.

/** The first case has this seed, each later one the next number. */
export const SEED = Number(process.env.PWP_SEED ?? 1)

/**
 * How many random cases to run.
 *
 * @param {number} usual
 * @returns {number}
 */
export const casesOr = (usual) => Number(process.env.PWP_CASES ?? usual)
