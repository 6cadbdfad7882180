import { useLocation, useNavigate } from '@tanstack/react-router';
import { type RefObject, useEffect, useMemo, useState } from 'react';
import type { LogTarget } from '../../data/logs/log-stream.ts';
import type { LogLine } from '../../domain/logs/line-reader.ts';
import {
  isLoaded,
  type LogPlace,
  lineAt,
  placeHash,
  readPlace,
} from '../../domain/logs/log-place.ts';
import type { LogViewHandle } from '../../domain/logs/log-view-props.ts';
import { type Log, useLog } from '../../domain/logs/use-log.ts';
import { writeClipboard } from '../../ui/copy/write-clipboard.ts';
import { useAnnounce } from '../../ui/feedback/announcer.tsx';
import { absoluteTime } from '../../ui/time/format-time.ts';

/** Job and attempt, as addresses name them. */
export interface LogAddress {
  readonly job: string;
  readonly attempt: number;
}

export interface PlacedLog {
  readonly log: Log;
  /** Where loading began; null: with the last lines. */
  readonly start: LogPlace | null;
  /** The line that the address leads to. */
  readonly marked: LogLine | null;
  readonly linkOf: (line: LogLine) => string;
  /** Makes the line that of the address, and copies the address. */
  readonly onLink: (line: LogLine) => void;
  /** Shows the output from this time on; returns an error message, or null if it is shown. */
  readonly goTo: (time: number) => string | null;
  readonly toEnd: () => void;
}

/** A log together with the place in it that the address has. */
export function useLogPlace(
  target: LogTarget,
  address: LogAddress,
  view: RefObject<LogViewHandle | null>,
): PlacedLog {
  const navigate = useNavigate();
  const announce = useAnnounce();
  const hash = useLocation({ select: (location) => location.hash });
  const place = useMemo(() => readPlace(hash), [hash]);
  // Where loading began. A place that is loaded already needs nothing else.
  const [start, setStart] = useState<LogPlace | null>(place);
  const log = useLog(target, { place: start });
  const { lines } = log.snapshot;
  const marked = useMemo(() => (place === null ? null : lineAt(lines, place)), [place, lines]);
  // The address changes by links, by the browser's history and by what readers type into it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new place moves the log
  useEffect(() => {
    if (place === null || place === start) return;
    if (isLoaded(log.snapshot, place)) view.current?.scrollToLine(lineAt(lines, place)?.id ?? 0);
    else setStart(place);
  }, [place]);
  const setPlace = (next: LogPlace | null) =>
    void navigate({
      to: '.',
      search: (before) => ({ ...before, ...address }),
      hash: next === null ? '' : placeHash(next),
      replace: true,
      hashScrollIntoView: false,
      resetScroll: false,
    });
  const linkOf = useMemo(() => {
    const query = new URLSearchParams({ job: address.job, attempt: String(address.attempt) });
    return (line: LogLine) => `?${query}#${placeHash(line)}`;
  }, [address.job, address.attempt]);
  return {
    log,
    start,
    marked,
    linkOf,
    onLink: (line) => {
      setPlace(line);
      void writeClipboard(new URL(linkOf(line), location.href).href).then((done) =>
        announce(done ? 'Link copied' : 'The link is in the address of the page'),
      );
    },
    goTo: (time) => {
      const last = lines.findLast((line) => line.time !== null)?.time ?? null;
      if (last === null) return 'The lines of this log have no times.';
      if (time > last && log.loadNewer === null) {
        return `Nothing was printed after that. The last line is from ${absoluteTime(last)}.`;
      }
      setPlace({ offset: null, time });
      return null;
    },
    toEnd: () => {
      if (place !== null) setPlace(null);
      if (log.loadNewer !== null || lines.length === 0) setStart(null);
      else view.current?.scrollToEnd();
    },
  };
}
