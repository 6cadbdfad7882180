/** What no request may hold anywhere, whatever its schema says. */

export interface UnfitPart {
  readonly path: readonly (string | number)[];
  /** Completes a sentence. */
  readonly why: string;
}

/** The first part that cannot be kept as it was sent; null: there is none. */
export function unfitPart(value: unknown): UnfitPart | null {
  const found = look(value);
  return found && { path: found.path.reverse(), why: found.why };
}

/** `path` from the inside to the outside. */
interface Found {
  readonly path: (string | number)[];
  readonly why: string;
}

function look(value: unknown): Found | null {
  if (typeof value === 'string') return unfit(textFault(value));
  if (typeof value === 'number') {
    return Number.isFinite(value) ? null : unfit('the number is too large');
  }
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) return lookIntoList(value);
  for (const key of Object.keys(value)) {
    const found = unfit(keyFault(key)) ?? look((value as Record<string, unknown>)[key]);
    if (found === null) continue;
    found.path.push(key);
    return found;
  }
  return null;
}

function lookIntoList(list: readonly unknown[]): Found | null {
  for (let index = 0; index < list.length; index++) {
    const found = look(list[index]);
    if (found === null) continue;
    found.path.push(index);
    return found;
  }
  return null;
}

function keyFault(key: string): string | null {
  // To JavaScript it is not a key but what an object inherits from.
  if (key === '__proto__') return 'the key __proto__ is not allowed';
  return textFault(key);
}

/** U+0000 is taken by PostgreSQL in no text; half a surrogate pair is no character at all. */
function textFault(text: string): string | null {
  if (text.includes('\0')) return 'the character U+0000 is allowed in no text';
  return text.isWellFormed() ? null : 'the text has half a surrogate pair, which is no character';
}

function unfit(why: string | null): Found | null {
  return why === null ? null : { path: [], why };
}
