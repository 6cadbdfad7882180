import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import {
  followLog,
  type LogStreamStart,
  type LogTarget,
  olderLog,
} from '../../data/logs/log-stream.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { LogBuffer, type LogSnapshot } from './log-buffer.ts';
import type { LogPlace } from './log-place.ts';

export type LogState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'following' }
  /** The output after a linked place is loaded in parts: the next part is loaded on request. */
  | { readonly kind: 'paused' }
  /** The job has ended, and this is all. */
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface Log {
  readonly snapshot: LogSnapshot;
  readonly state: LogState;
  /** Loads lines before the first one; null if there are none or they are being loaded. */
  readonly loadOlder: (() => void) | null;
  /** Loads lines after the last one; null if all there are have been loaded. */
  readonly loadNewer: (() => void) | null;
  readonly retry: () => void;
}

/** A hidden tab stops reading after this time, and continues at the same byte when it is shown. */
const HIDDEN_MS = 10_000;

/** Lines that are shown at first. */
const FIRST_LINES = 5000;

/** Output that is loaded at once after a linked place; the whole rest may not fit into memory. */
const PART_BYTES = 4 * 1024 * 1024;

export interface UseLogOptions {
  /** Last lines that are loaded at first. */
  readonly firstLines?: number;
  /** Where to begin instead, as a link does. */
  readonly place?: LogPlace | null;
}

/** The output of one job submission as it is printed, from its last lines or from a place on. */
export function useLog(target: LogTarget, options: UseLogOptions = {}): Log {
  const { project, run, submission } = target;
  const { firstLines = FIRST_LINES, place = null } = options;
  const client = useClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another submission has another output, and other places have other parts of it
  const buffer = useMemo(() => new LogBuffer(), [submission, place]);
  const snapshot = useSyncExternalStore(buffer.subscribe, () => buffer.snapshot);
  const [state, setState] = useState<LogState>({ kind: 'loading' });
  const [attempt, setAttempt] = useState(0);
  const isShown = useShown(HIDDEN_MS);
  const [loadingOlder, setLoadingOlder] = useState(false);
  const isComplete = useRef<LogBuffer | null>(null);

  // Reads while the page is shown; a connection per hidden tab would use up those of the browser.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `attempt` starts it again
  useEffect(() => {
    if (!isShown || isComplete.current === buffer) return;
    const leave = new AbortController();
    const read = async () => {
      const isFirst = buffer.end === 0;
      const from = isFirst ? startOf(place, firstLines) : { offset: buffer.end };
      let read = 0;
      const pieces = followLog(client, { project, run, submission }, from, leave.signal);
      setState({ kind: 'following' });
      for await (const { bytes, end, times } of pieces) {
        buffer.append(bytes, end, times);
        read += bytes.length;
        if (place === null || read < PART_BYTES) continue;
        leave.abort();
        setState({ kind: 'paused' });
        return;
      }
      isComplete.current = buffer;
      setState({ kind: 'complete' });
    };
    read().catch((error: unknown) => {
      if (!leave.signal.aborted) setState({ kind: 'failed', error });
    });
    return () => leave.abort();
  }, [client, project, run, submission, buffer, place, firstLines, isShown, attempt]);

  const loadOlder = useCallback(() => {
    setLoadingOlder(true);
    olderLog(client, { project, run, submission }, buffer.start)
      .then((older) => buffer.prepend(older))
      .catch((error: unknown) => setState({ kind: 'failed', error }))
      .finally(() => setLoadingOlder(false));
  }, [client, project, run, submission, buffer]);

  const resume = useCallback(() => setAttempt((count) => count + 1), []);
  return {
    snapshot,
    state,
    loadOlder: snapshot.start > 0 && !loadingOlder && !snapshot.isFull ? loadOlder : null,
    loadNewer: state.kind === 'paused' ? resume : null,
    retry: resume,
  };
}

function startOf(place: LogPlace | null, firstLines: number): LogStreamStart {
  if (place === null) return { lines: firstLines };
  if (place.offset !== null) return { offset: place.offset };
  // Output of exactly this time is wanted too.
  return { start_time: new Date((place.time ?? 0) - 1).toISOString() };
}

/** False once the tab was hidden for some time. */
function useShown(afterMs: number): boolean {
  const [isShown, setShown] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onChange = () => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') setShown(true);
      else timer = setTimeout(() => setShown(false), afterMs);
    };
    document.addEventListener('visibilitychange', onChange);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onChange);
    };
  }, [afterMs]);
  return isShown;
}
