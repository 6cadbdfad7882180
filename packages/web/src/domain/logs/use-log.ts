import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { followLog, type LogTarget, olderLog } from '../../data/logs/log-stream.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { LogBuffer, type LogSnapshot } from './log-buffer.ts';

export type LogState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'following' }
  /** The job has ended, and this is all. */
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface Log {
  readonly snapshot: LogSnapshot;
  readonly state: LogState;
  /** Loads lines before the first one; null if there are none or they are being loaded. */
  readonly loadOlder: (() => void) | null;
  readonly retry: () => void;
}

/** A hidden tab stops reading after this time, and continues at the same byte when it is shown. */
const HIDDEN_MS = 10_000;

/** Lines that are shown at first. */
const FIRST_LINES = 5000;

/** The output of one job submission, from its last lines on, as it is printed. */
export function useLog(target: LogTarget, firstLines = FIRST_LINES): Log {
  const { project, run, submission } = target;
  const client = useClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another submission has another output
  const buffer = useMemo(() => new LogBuffer(), [submission]);
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
      const from = buffer.end > 0 ? { offset: buffer.end } : { lines: firstLines };
      const pieces = followLog(client, { project, run, submission }, from, leave.signal);
      setState({ kind: 'following' });
      for await (const { bytes, end, times } of pieces) buffer.append(bytes, end, times);
      isComplete.current = buffer;
      setState({ kind: 'complete' });
    };
    read().catch((error: unknown) => {
      if (!leave.signal.aborted) setState({ kind: 'failed', error });
    });
    return () => leave.abort();
  }, [client, project, run, submission, buffer, firstLines, isShown, attempt]);

  const loadOlder = useCallback(() => {
    setLoadingOlder(true);
    olderLog(client, { project, run, submission }, buffer.start)
      .then((older) => buffer.prepend(older))
      .catch((error: unknown) => setState({ kind: 'failed', error }))
      .finally(() => setLoadingOlder(false));
  }, [client, project, run, submission, buffer]);

  return {
    snapshot,
    state,
    loadOlder: snapshot.start > 0 && !loadingOlder && !snapshot.isFull ? loadOlder : null,
    retry: () => setAttempt((count) => count + 1),
  };
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
