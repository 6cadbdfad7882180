/** The part of a keyboard event that shortcuts need. */
export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** The second key of `g r` must follow within this time, in ms. */
const SEQUENCE_MS = 1200;

/** `mod+k`, `r`, `shift+n`, `?`; null for keys that are only part of others. */
export function pressedKey(event: KeyPress): string | null {
  if (['Control', 'Meta', 'Shift', 'Alt'].includes(event.key) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return `mod+${key}`;
  // Shift belongs to marks such as `?`, and distinguishes letters.
  return event.shiftKey && /^[a-z]$/.test(key) ? `shift+${key}` : key;
}

export interface SequenceState {
  readonly first: string | null;
  readonly at: number;
}

export const NO_SEQUENCE: SequenceState = { first: null, at: 0 };

/** The state after a key press, and the shortcut that the press completes; null: none. */
export function nextSequence(
  state: SequenceState,
  key: string,
  now: number,
  known: ReadonlySet<string>,
): { readonly state: SequenceState; readonly keys: string | null } {
  const pair = `${state.first} ${key}`;
  if (state.first !== null && now - state.at <= SEQUENCE_MS && known.has(pair)) {
    return { state: NO_SEQUENCE, keys: pair };
  }
  if (known.has(key)) return { state: NO_SEQUENCE, keys: key };
  const begins = [...known].some((keys) => keys.startsWith(`${key} `));
  return { state: begins ? { first: key, at: now } : NO_SEQUENCE, keys: null };
}
