/** The keys typed after the one that opens the palette, until its field has the focus. */
export interface TypeAhead {
  readonly text: string;
  /** Keys for the list of results, which come after the text. */
  readonly keys: readonly string[];
}

export const NOTHING_TYPED: TypeAhead = { text: '', keys: [] };

const LIST_KEYS: readonly string[] = ['Enter', 'ArrowDown', 'ArrowUp', 'Escape'];

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>;

/** Null: the key is not for the palette. */
export function withKey(typed: TypeAhead, event: Pressed): TypeAhead | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.key === 'Backspace') return { ...typed, text: typed.text.slice(0, -1) };
  if (LIST_KEYS.includes(event.key)) return { ...typed, keys: [...typed.keys, event.key] };
  return [...event.key].length === 1 ? { ...typed, text: typed.text + event.key } : null;
}

/** Collects keys before anything else on the page sees them; returns what ends that and gives them. */
export function collectKeys(page: Document): () => TypeAhead {
  let typed = NOTHING_TYPED;
  const onKey = (event: KeyboardEvent) => {
    const next = withKey(typed, event);
    if (next === null) return;
    typed = next;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  page.addEventListener('keydown', onKey, { capture: true });
  return () => {
    page.removeEventListener('keydown', onKey, { capture: true });
    return typed;
  };
}
