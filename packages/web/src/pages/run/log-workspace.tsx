import { type ReactNode, type RefObject, useMemo, useState } from 'react';
import { DerivedLines, LevelFinder } from '../../domain/logs/derived-lines.ts';
import type { LogLine } from '../../domain/logs/line-reader.ts';
import { LOG_LEVELS, type LogLevel } from '../../domain/logs/log-level.ts';
import { nextHit } from '../../domain/logs/log-search.ts';
import { LogView } from '../../domain/logs/log-view.tsx';
import type { LogPosition, LogViewHandle } from '../../domain/logs/log-view-props.ts';
import type { LogState } from '../../domain/logs/use-log.ts';
import { NO_QUERY, useLogSearch } from '../../domain/logs/use-log-search.ts';
import type { RestSearch } from '../../domain/logs/use-rest-search.ts';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { useSavedChoice } from '../../ui/saved-choice.ts';
import styles from './log-panel.module.css';
import { LogToolbar } from './log-toolbar.tsx';
import { readTimes } from './log-view-menu.tsx';
import { RestMatches } from './rest-matches.tsx';
import { useAnnouncedLines } from './use-announced-lines.ts';
import { useFullScreen } from './use-full-screen.ts';
import { useWholeLog } from './use-whole-log.ts';

export interface LogWorkspaceProps {
  readonly label: string;
  readonly lines: readonly LogLine[];
  readonly state: LogState;
  /** How much was loaded, in words. */
  readonly amount: string;
  /** Which part of the output the lines are, in words; null: all of it. */
  readonly part: string | null;
  /** More of the output can be loaded into memory. */
  readonly unread: boolean;
  /** Chooses what is shown. */
  readonly picker: ReactNode;
  readonly download: ((timestamps: boolean) => ReactNode) | null;
  /** The content that is shown where there are no lines. */
  readonly empty: ReactNode;
  readonly view: RefObject<LogViewHandle | null>;
  readonly marked: LogLine | null;
  readonly linkOf: (line: LogLine) => string;
  readonly onLink: (line: LogLine) => void;
  readonly onTime: (time: number) => string | null;
  readonly onEnd: () => void;
  readonly onOlder: (() => void) | null;
  readonly onNewer: (() => void) | null;
  readonly onRetry: () => void;
  /** The names of merged logs, in the order of their numbers; absent: the lines are of one log. */
  readonly names?: readonly string[];
  /** Searches what is not loaded; absent: nothing can. */
  readonly rest?: RestSearch;
}

const asBoolean = (saved: unknown): boolean => saved === true;
const asLevel = (saved: string): LogLevel | null => LOG_LEVELS.find((one) => one === saved) ?? null;

/** Lines of output with search, following, and the tools for them. */
export function LogWorkspace(props: LogWorkspaceProps) {
  const { lines, state, view, marked } = props;
  const [wrap, setWrap] = useSavedChoice('dstack-log-wrap', asBoolean);
  const [numbers, setNumbers] = useSavedChoice('dstack-log-numbers', asBoolean);
  const [times, setTimes] = useSavedChoice('dstack-log-timestamps', readTimes);
  const [readsJson, setReadsJson] = useSavedChoice('dstack-log-json', asBoolean);
  const [announces, setAnnounces] = useState(false);
  const [least, setLeast] = useState<LogLevel | null>(null);
  const [query, setQuery] = useState(NO_QUERY);
  const [current, setCurrent] = useState(-1);
  const [position, setPosition] = useState<LogPosition | null>(null);
  /** Lines are drawn anew where the reader was. */
  const keepPosition = () => setPosition(view.current?.position() ?? null);
  // Other lines are loaded: where the reader was in the former ones means nothing in them.
  if (lines.length === 0 && position !== null) setPosition(null);
  const { full, setFull } = useFullScreen();
  const finder = useMemo(() => new LevelFinder(), []);
  const { hasLevels, hasJson } = finder.update(lines);
  const derived = useMemo(() => new DerivedLines({ least, readsJson }), [least, readsJson]);
  const shown = derived.update(lines);
  const isReading = useWholeLog(props, query.text !== '');
  const found = useLogSearch(shown, query);
  const search = isReading ? { ...found, isSearching: true } : found;
  useAnnouncedLines(shown, announces);
  const changeLeast = (to: LogLevel | null) => {
    keepPosition();
    setLeast(to);
  };
  const showHit = (index: number) => {
    setCurrent(index);
    const found = search.hits[index];
    if (found) view.current?.scrollToLine(found.line);
  };
  const linkPresent = () => {
    const hit = search.hits[current]?.line;
    const line =
      shown.find(({ id }) => id === hit) ?? marked ?? view.current?.firstVisible() ?? null;
    if (line !== null) props.onLink(line);
  };
  return (
    <div className={styles.panel} data-full={full || undefined}>
      <LogToolbar
        state={state}
        amount={props.amount}
        picker={props.picker}
        download={props.download?.(times !== 'off') ?? null}
        search={{
          query,
          result: search,
          part: props.part,
          current,
          onQuery: (next) => {
            setQuery(next);
            setCurrent(-1);
            props.rest?.stop();
          },
          onMove: (step) => showHit(nextHit(search.hits.length, current, step)),
        }}
        look={{ wrap, numbers, times, readsJson, announces, hasJson }}
        level={
          hasLevels || least !== null ? { least, onLeast: (to) => changeLeast(asLevel(to)) } : null
        }
        full={full}
        onLook={(change) => {
          if (change.wrap !== undefined || change.readsJson !== undefined) keepPosition();
          if (change.wrap !== undefined) setWrap(change.wrap);
          if (change.numbers !== undefined) setNumbers(change.numbers);
          if (change.times !== undefined) setTimes(change.times);
          if (change.readsJson !== undefined) setReadsJson(change.readsJson);
          if (change.announces !== undefined) setAnnounces(change.announces);
        }}
        onEnd={props.onEnd}
        onTime={props.onTime}
        onLink={linkPresent}
        onFull={setFull}
      />
      {props.part !== null && props.rest && !search.isSearching ? (
        <RestMatches
          query={query}
          search={props.rest}
          before={lines.find(({ time }) => time !== null)?.time ?? null}
          onTime={props.onTime}
        />
      ) : null}
      {lines.length === 0 ? (
        state.kind === 'failed' ? (
          <ErrorPanel
            title="The log could not be loaded"
            error={state.error}
            onRetry={props.onRetry}
          />
        ) : (
          props.empty
        )
      ) : (
        <LogView
          // Heights of lines are measured anew.
          key={`${wrap} ${least} ${readsJson}`}
          ref={view}
          label={props.label}
          lines={shown}
          wrap={wrap}
          numbers={numbers}
          times={times}
          hits={search.hits}
          hit={search.hits[current] ?? null}
          marksOf={search.marksOf}
          onHit={showHit}
          onOlder={props.onOlder}
          onNewer={props.onNewer}
          marked={marked?.id ?? null}
          position={position}
          linkOf={props.linkOf}
          onLink={props.onLink}
          onEnd={props.onEnd}
          names={props.names}
        />
      )}
    </div>
  );
}
