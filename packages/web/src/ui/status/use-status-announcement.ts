import { useEffect, useRef } from 'react';
import { useAnnounce } from '../feedback/announcer.tsx';

/** Announces changes to screen readers, not the status at the beginning; null: not known yet. */
export function useStatusAnnouncement(name: string, text: string | null): void {
  const announce = useAnnounce();
  const last = useRef(text);
  useEffect(() => {
    if (text === null || last.current === text) return;
    if (last.current !== null) announce(`${name}: ${text}`);
    last.current = text;
  }, [announce, name, text]);
}
