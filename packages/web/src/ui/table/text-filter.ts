/** The rows that have all words of a text, whatever the case. `words`: the texts of a row to search in. */
export function filterByText<Row>(
  rows: readonly Row[],
  text: string,
  words: (row: Row) => readonly (string | null | undefined)[],
): readonly Row[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return rows;
  return rows.filter((row) => {
    const own = words(row).join('\n').toLowerCase();
    return wanted.every((word) => own.includes(word));
  });
}
