import { useCallback, useState } from 'react';

/** A choice of taste (columns, density) that this browser remembers. Not for anything that links share. */
export function useSavedChoice<T>(
  key: string,
  parse: (saved: unknown) => T,
): readonly [T, (value: T) => void] {
  const [value, setValue] = useState(() => parse(readSaved(key)));
  const save = useCallback(
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // Storage is full or switched off; the choice lasts until the page is closed.
      }
    },
    [key],
  );
  return [value, save];
}

function readSaved(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null');
  } catch {
    // Another version may have written something else.
    return null;
  }
}
