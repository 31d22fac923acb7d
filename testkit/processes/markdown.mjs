// Tables in Markdown, for what the scripts measure.

/**
 * @param {string[]} titles
 * @param {string[][]} lines cells, as many as there are titles
 * @param {number} leftColumns that are text; the others are numbers and stand on the right
 * @returns {string}
 */
export function markdownTable(titles, lines, leftColumns) {
  const rule = titles.map((_, column) => (column < leftColumns ? '---' : '--:'))
  return [titles, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
