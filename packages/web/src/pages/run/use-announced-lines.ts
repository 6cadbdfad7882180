import { useEffect, useRef } from 'react';
import type { LogLine } from '../../domain/logs/line-reader.ts';
import { lineText } from '../../domain/logs/log-search.ts';
import { useAnnounce } from '../../ui/feedback/announcer.tsx';
import { useLatest } from '../../ui/use-latest.ts';

/** Lines are read together this often, in ms: a screen reader needs time for each. */
const READ_MS = 2000;
const MOST_LINES = 3;
const MOST_TEXT = 200;

/** Has new lines read by screen readers, if the reader wants it. */
export function useAnnouncedLines(lines: readonly LogLine[], isOn: boolean): void {
  const announce = useAnnounce();
  const latest = useLatest(lines);
  const read = useRef<number | null>(null);
  useEffect(() => {
    if (!isOn) return;
    read.current = latest.current.at(-1)?.id ?? null;
    const timer = setInterval(() => {
      const known = read.current ?? Number.NEGATIVE_INFINITY;
      const fresh = latest.current.filter(({ id }) => id > known);
      const last = fresh.at(-1);
      if (last === undefined) return;
      read.current = last.id;
      const texts = fresh.slice(-MOST_LINES).map((line) => lineText(line).slice(0, MOST_TEXT));
      const left = fresh.length - texts.length;
      announce([...(left > 0 ? [`${left} lines, then`] : []), ...texts].join('. '));
    }, READ_MS);
    return () => clearInterval(timer);
  }, [announce, isOn, latest]);
}
