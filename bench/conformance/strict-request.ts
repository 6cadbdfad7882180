/**
 * The faults of a request that a proxy has sent to an app: everything that two readers may understand in two
 * ways (RFC 9112, sections 2.2, 3, 5, 6, 7 and 11.2).
 */

export interface Judged {
  /** Empty: every app reads the same single request. */
  readonly faults: readonly string[];
  /** The app would wait for more of the body. */
  readonly isIncomplete: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A request line of HTTP/1.1: visible ASCII without a fragment. */
const LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\x80-\xff]+ HTTP\/1\.[01]$/;
/** Space, tab, and everything that is visible. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** `text`: latin1. */
export function judge(text: string): Judged {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return { faults: text === '' ? [] : ['no end of the head'], isIncomplete: true };
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const faults: string[] = [];
  if (!LINE.test(line)) faults.push('request line');
  const values = new Map<string, string[]>();
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, Math.max(0, colon));
    const value = field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (!TOKEN.test(name)) faults.push(`name of a field: ${JSON.stringify(field.slice(0, 40))}`);
    if (!VALUE.test(value)) faults.push(`value of ${name}: ${JSON.stringify(value.slice(0, 40))}`);
    // Many apps read names with `_` as those with `-`.
    const known = name.toLowerCase().replaceAll('_', '-');
    values.set(known, [...(values.get(known) ?? []), value]);
  }
  const body = bodyFaults(values, text.slice(end + 4));
  const hosts = values.get('host')?.length ?? 0;
  if (hosts !== 1) faults.push(`${hosts} times Host`);
  return { faults: [...faults, ...body.faults], isIncomplete: body.isIncomplete };
}

function bodyFaults(values: ReadonlyMap<string, readonly string[]>, body: string): Judged {
  const lengths = values.get('content-length') ?? [];
  const codings = values.get('transfer-encoding') ?? [];
  if (lengths.length + codings.length > 1) {
    const named = [...lengths.map((one) => `length ${one}`), ...codings].join(', ');
    return { faults: [`more than one end of the body: ${named}`], isIncomplete: false };
  }
  const [coding] = codings;
  if (coding !== undefined) {
    if (coding.toLowerCase() === 'chunked') return chunkFaults(body);
    return { faults: [`Transfer-Encoding: ${coding}`], isIncomplete: false };
  }
  const [length = '0'] = lengths;
  if (!/^\d{1,15}$/.test(length)) {
    return { faults: [`Content-Length: ${length}`], isIncomplete: false };
  }
  const surplus = body.length > Number(length);
  return {
    faults: surplus ? ['bytes after the body'] : [],
    isIncomplete: body.length < Number(length),
  };
}

/** Chunks without extensions, then nothing. */
function chunkFaults(body: string): Judged {
  let rest = body;
  for (;;) {
    const head = /^([0-9a-fA-F]{1,15})\r\n/.exec(rest);
    if (head === null) {
      const isIncomplete = /^[0-9a-fA-F]{0,15}\r?$/.test(rest);
      return { faults: isIncomplete ? [] : ['head of a chunk'], isIncomplete };
    }
    const size = Number.parseInt(head[1] ?? '', 16);
    rest = rest.slice(head[0].length);
    if (size === 0) break;
    if (rest.length < size + 2) return { faults: [], isIncomplete: true };
    if (rest.slice(size, size + 2) !== '\r\n') {
      return { faults: ['end of a chunk'], isIncomplete: false };
    }
    rest = rest.slice(size + 2);
  }
  if (rest === '' || rest === '\r') return { faults: [], isIncomplete: true };
  const isOver = rest === '\r\n';
  return { faults: isOver ? [] : ['bytes after the last chunk'], isIncomplete: false };
}
