// Formats Markdown tables of what the scripts measure.

/**
 * @param {string[]} titles
 * @param {string[][]} lines cells, as many as there are titles
 * @param {number} leftColumns number of text columns; the others hold numbers and are aligned right
 * @returns {string}
 */
export function markdownTable(titles, lines, leftColumns) {
  const rule = titles.map((_, column) => (column < leftColumns ? '---' : '--:'))
  return [titles, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
