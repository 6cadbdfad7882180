import { useCallback, useDeferredValue, useEffect, useMemo, useState } from 'react';
import type { LogLine } from './line-reader.ts';
import {
  type Hit,
  hitsIn,
  hitsOfLine,
  LogSearch,
  lineText,
  type Mark,
  noMarks,
} from './log-search.ts';
import type { PatternAnswer } from './pattern-matches.ts';
import { PatternSearch, type PatternWorker, patternProblem } from './pattern-search.ts';

/** A search in a log: the text, and how lines are compared with it. */
export interface LogQuery {
  readonly text: string;
  readonly matchCase: boolean;
  /** The text is a regular expression. */
  readonly isPattern: boolean;
}

export const NO_QUERY: LogQuery = { text: '', matchCase: false, isPattern: false };

export interface LogSearchResult {
  readonly hits: readonly Hit[];
  /** Lines remain to be searched. */
  readonly isSearching: boolean;
  /** The error of the query, which the field shows; null: there is none. */
  readonly problem: string | null;
  /** Lines that were left out because the expression takes too long on them. */
  readonly skipped: number;
  /** The parts of a line to be marked. */
  readonly marksOf: (line: LogLine) => readonly Mark[];
}

const NO_HITS: readonly Hit[] = [];
const TOO_SLOW = 'This expression takes too long on some lines. Try a simpler one.';

/** The places of a log that the query finds. */
export function useLogSearch(lines: readonly LogLine[], query: LogQuery): LogSearchResult {
  // Defers the search of a long log, so that the typed text appears first.
  const { text, matchCase, isPattern } = useDeferredValue(query);
  const plain = useMemo(
    () => (isPattern ? null : new LogSearch(text, matchCase)),
    [text, matchCase, isPattern],
  );
  const problem = useMemo(
    () => (isPattern && text !== '' ? patternProblem(text) : null),
    [text, isPattern],
  );
  const source = isPattern && problem === null ? text : '';
  const pattern = usePatternSearch(lines, source, matchCase);
  const markText = useCallback(
    (line: LogLine) => hitsIn(lineText(line), matchCase ? text : text.toLowerCase(), matchCase),
    [text, matchCase],
  );
  const hits = plain !== null ? plain.update(lines) : (pattern?.hits ?? NO_HITS);
  const markPattern = useCallback((line: LogLine) => hitsOfLine(hits, line.id), [hits]);
  return {
    hits,
    isSearching: pattern?.state === 'searching',
    problem: pattern?.state === 'too slow' ? TOO_SLOW : problem,
    skipped: pattern?.skipped ?? 0,
    marksOf: text === '' ? noMarks : plain !== null ? markText : markPattern,
  };
}

function usePatternSearch(
  lines: readonly LogLine[],
  source: string,
  matchCase: boolean,
): PatternSearch | null {
  const [search, setSearch] = useState<PatternSearch | null>(null);
  const [, setVersion] = useState(0);
  // A worker is a resource of the browser: it ends with the expression.
  useEffect(() => {
    if (source === '') return setSearch(null);
    const onChange = () => setVersion((version) => version + 1);
    const made = new PatternSearch({ source, matchCase, startWorker, onChange });
    setSearch(made);
    return () => made.close();
  }, [source, matchCase]);
  useEffect(() => search?.update(lines), [search, lines]);
  return source === '' ? null : search;
}

function startWorker(): PatternWorker {
  const worker = new Worker(new URL('./pattern-worker.ts', import.meta.url), { type: 'module' });
  const started: PatternWorker = {
    onAnswer: () => {},
    postMessage: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
  };
  worker.onmessage = ({ data }: MessageEvent<PatternAnswer>) => started.onAnswer(data);
  return started;
}
