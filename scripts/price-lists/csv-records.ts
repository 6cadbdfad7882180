/** Records of a CSV text that comes in pieces and may be larger than the memory. */

/** Characters of a record: a text without line ends is no list of prices. */
const MOST_RECORD = 64 * 1024;

/** Quotes are doubled inside quoted fields (RFC 4180). */
export async function* csvRecords(pieces: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield fieldsOfLine(line);
    if (rest.length > MOST_RECORD) throw new Error('the list has a line that is too long');
  }
  if (rest !== '') yield fieldsOfLine(rest);
}

/** No field of these lists contains a line end. */
function fieldsOfLine(line: string): string[] {
  const fields: string[] = [];
  const end = line.endsWith('\r') ? line.length - 1 : line.length;
  let at = 0;
  for (;;) {
    const [field, next] = line[at] === '"' ? quotedField(line, at) : plainField(line, at, end);
    fields.push(field);
    if (next >= end || line[next] !== ',') return fields;
    at = next + 1;
  }
}

function plainField(line: string, at: number, end: number): [string, number] {
  const comma = line.indexOf(',', at);
  const stop = comma === -1 ? end : comma;
  return [line.slice(at, stop), stop];
}

function quotedField(line: string, at: number): [string, number] {
  let field = '';
  for (let from = at + 1; ; ) {
    const quote = line.indexOf('"', from);
    if (quote === -1) throw new Error('the list has a quote without its end');
    field += line.slice(from, quote);
    if (line[quote + 1] !== '"') return [field, quote + 1];
    field += '"';
    from = quote + 2;
  }
}
