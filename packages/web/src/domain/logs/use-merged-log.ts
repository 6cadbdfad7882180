import { useEffect, useMemo, useState } from 'react';
import { storedLog } from '../../data/logs/stored-log.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { useLatest } from '../../ui/use-latest.ts';
import type { SourceLine } from './merged-lines.ts';
import { type LogSource, readMerged } from './merged-log.ts';
import type { LogState } from './use-log.ts';

export interface MergedLog {
  readonly lines: readonly SourceLine[];
  readonly state: LogState;
  readonly retry: () => void;
}

const ROUND_MS = 1000;
/** While the server does not answer. */
const LONGEST_MS = 15_000;
const NO_LINES: readonly SourceLine[] = [];

/** The output of several jobs of a run, in the order of its times, as it is printed. */
export function useMergedLog(
  project: string,
  run: string,
  sources: readonly LogSource[],
): MergedLog {
  const client = useClient();
  const latest = useLatest(sources);
  const [lines, setLines] = useState(NO_LINES);
  const [state, setState] = useState<LogState>({ kind: 'loading' });
  const [attempt, setAttempt] = useState(0);
  const submissions = sources.map(({ submission }) => submission).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: other submissions and `attempt` start it again
  useEffect(() => {
    const leave = new AbortController();
    setLines(NO_LINES);
    const onLines = (next: readonly SourceLine[], isComplete: boolean) => {
      setLines(next);
      setState({ kind: isComplete ? 'complete' : 'following' });
    };
    readMerged(
      {
        sources: () => latest.current,
        read: (submission, from, signal) =>
          storedLog(client, { project, run, submission }, from, signal),
        onLines,
        pause,
      },
      leave.signal,
    ).catch((error: unknown) => {
      if (!leave.signal.aborted) setState({ kind: 'failed', error });
    });
    return () => leave.abort();
  }, [client, project, run, submissions, attempt]);
  return useMemo(
    () => ({ lines, state, retry: () => setAttempt((count) => count + 1) }),
    [lines, state],
  );
}

/** A hidden page reads nothing, and goes on when it is shown. */
async function pause(signal: AbortSignal, lost: number): Promise<void> {
  await new Promise<void>((resolve) => {
    // The signal lives for as long as the log is read, and gets no listener more with each round.
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(ROUND_MS * 2 ** lost, LONGEST_MS));
    signal.addEventListener('abort', end);
  });
  if (document.visibilityState !== 'hidden' || signal.aborted) return;
  await new Promise<void>((resolve) => {
    document.addEventListener('visibilitychange', () => resolve(), { once: true, signal });
    signal.addEventListener('abort', () => resolve());
  });
}
