/** Where the cursor is in the text of a configuration. */
export interface CursorPlace {
  /** The map or list that the line belongs to. */
  readonly path: readonly PropertyKey[];
  /** Whether a key of the map at `path` or the value of `key` is being typed. */
  readonly kind: 'key' | 'value';
  /** The key whose value is being typed; null: a key is being typed. */
  readonly key: string | null;
  /** The beginning of the word at the cursor, as an offset of the text. */
  readonly from: number;
  readonly word: string;
}

const KEY = /^([\w-]+):(?:\s|$)/;

/** Finds the place by the indentation of the lines above; null inside comments and texts of several lines. */
export function cursorPlace(text: string, offset: number): CursorPlace | null {
  const before = text.slice(0, offset).split('\n');
  const line = before.at(-1) ?? '';
  const content = line.trimStart();
  if (content.startsWith('#')) return null;
  const dashes = /^(?:- +)*/.exec(content)?.[0] ?? '';
  const rest = content.slice(dashes.length);
  const indent = line.length - rest.length;
  const path = parents(before.slice(0, -1), indent, dashes === '' ? null : indent - dashes.length);
  if (path === null) return null;
  const [, key] = KEY.exec(rest) ?? [];
  if (key !== undefined) {
    const value = rest.slice(key.length + 1).trimStart();
    return { path, kind: 'value', key, from: offset - value.length, word: value };
  }
  if (!/^[\w.-]*$/.test(rest)) return null;
  return { path, kind: 'key', key: null, from: offset - rest.length, word: rest };
}

/** The keys above with less indentation, outermost first. `dash`: the column of the line's own dash. */
function parents(
  lines: readonly string[],
  indent: number,
  dash: number | null,
): readonly PropertyKey[] | null {
  const path: PropertyKey[] = dash === null ? [] : [0];
  let limit = dash ?? indent;
  // A list may stand at the indentation of its key.
  let isListAllowed = dash !== null;
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at] ?? '';
    const content = line.trimStart();
    if (content === '' || content.startsWith('#')) continue;
    const dashes = /^(?:- +)*/.exec(content)?.[0] ?? '';
    const column = line.length - content.length;
    const own = column + dashes.length;
    const rest = content.slice(dashes.length);
    const [, key] = KEY.exec(rest) ?? [];
    if (key !== undefined && (own < limit || (isListAllowed && own === limit && dashes === ''))) {
      if (/^[|>][-+]?\d?\s*$/.test(rest.slice(key.length + 1).trim())) return null;
      path.unshift(key);
      limit = own;
      isListAllowed = false;
    }
    if (dashes !== '' && column < limit) {
      path.unshift(0);
      limit = column;
      isListAllowed = true;
    }
    if (limit === 0 && !isListAllowed) break;
  }
  return path;
}
