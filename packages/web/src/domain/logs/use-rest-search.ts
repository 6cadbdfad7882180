import { useCallback, useEffect, useRef, useState } from 'react';
import { type LogTarget, searchLog } from '../../data/logs/search-log.ts';
import { useClient } from '../../data/session/session-context.tsx';

/** A line that the server has found. */
export interface RestMatch {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly text: string;
}

export interface RestSearchState {
  readonly kind: 'searching' | 'done' | 'failed';
  /** The newest ones first. */
  readonly matches: readonly RestMatch[];
  /** There may be more: the search ended at `MOST_MATCHES`. */
  readonly isCut: boolean;
}

export interface RestSearch {
  /** Null: not asked for. */
  readonly state: RestSearchState | null;
  readonly start: (text: string, matchCase: boolean, before: number | null) => void;
  readonly stop: () => void;
}

/** More are not listed: a more precise text is of more use. */
export const MOST_MATCHES = 200;

/** Has the server look for a text in the output that is not loaded. The search ends with the page. */
export function useRestSearch(target: LogTarget): RestSearch {
  const { project, run, submission } = target;
  const client = useClient();
  const [state, setState] = useState<RestSearchState | null>(null);
  const leave = useRef<AbortController | null>(null);
  const stop = useCallback(() => {
    leave.current?.abort();
    leave.current = null;
    setState(null);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: matches of another output mean nothing here
  useEffect(() => stop, [stop, submission]);
  const start = (text: string, matchCase: boolean, before: number | null) => {
    leave.current?.abort();
    const own = new AbortController();
    leave.current = own;
    let matches: readonly RestMatch[] = [];
    const show = (kind: RestSearchState['kind'], isCut = false) => {
      if (!own.signal.aborted) setState({ kind, matches, isCut });
    };
    const search = async () => {
      show('searching');
      const query = { text, matchCase, before };
      for await (const page of searchLog(client, { project, run, submission }, query, own.signal)) {
        matches = [...matches, ...page].slice(0, MOST_MATCHES);
        if (matches.length === MOST_MATCHES) return show('done', true);
        show('searching');
      }
      show('done');
    };
    search().catch(() => show('failed'));
  };
  return { state, start, stop };
}
