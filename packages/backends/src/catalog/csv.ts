/**
 * Rows of a CSV text with a header line, quotes doubled inside quoted fields (RFC 4180). Small on
 * purpose: catalogues are the only CSV that this product reads.
 */
export function parseCsv(text: string): Record<string, string>[] {
  const [header, ...rows] = records(text);
  if (!header) return [];
  return rows
    .filter((row) => row.length > 1 || row[0] !== '')
    .map((row) => Object.fromEntries(header.map((name, i) => [name, row[i] ?? ''])));
}

function records(text: string): string[][] {
  const out: string[][] = [[]];
  let field = '';
  let quoted = false;
  const endField = () => {
    out.at(-1)?.push(field);
    field = '';
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') field += text[++i];
      else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ',') endField();
    else if (char === '\n') {
      endField();
      out.push([]);
    } else if (char !== '\r') field += char;
  }
  endField();
  return out;
}
