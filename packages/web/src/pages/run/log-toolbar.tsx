import {
  ArrowDownToLine,
  CalendarClock,
  Clock,
  Download,
  ListOrdered,
  Maximize,
  Minimize,
  WrapText,
} from 'lucide-react';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { type LogTarget, wholeLog } from '../../data/logs/log-stream.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { bytes, count } from '../../domain/format/quantities.ts';
import type { Log } from '../../domain/logs/use-log.ts';
import type { LogQuery, LogSearchResult } from '../../domain/logs/use-log-search.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useLatest } from '../../ui/use-latest.ts';
import styles from './log-panel.module.css';
import { LogSearchField } from './log-search-field.tsx';
import { LogTimeDialog } from './log-time-dialog.tsx';

export interface LogToolbarProps {
  readonly target: LogTarget;
  readonly jobName: string;
  readonly log: Log;
  readonly picker: ReactNode;
  readonly query: LogQuery;
  readonly search: LogSearchResult;
  readonly current: number;
  readonly wrap: boolean;
  readonly numbers: boolean;
  readonly timestamps: boolean;
  readonly onQuery: (query: LogQuery) => void;
  readonly onMove: (step: 1 | -1) => void;
  readonly onWrap: (wrap: boolean) => void;
  readonly onNumbers: (numbers: boolean) => void;
  readonly onTimestamps: (timestamps: boolean) => void;
  readonly full: boolean;
  readonly onEnd: () => void;
  /** What is wrong with the time, or null. */
  readonly onTime: (time: number) => string | null;
  /** Copies a link to the line that the reader is concerned with. */
  readonly onLink: () => void;
  readonly onFull: (full: boolean) => void;
}

export function LogToolbar(props: LogToolbarProps) {
  const { log, picker, query, search, current, wrap, numbers, timestamps, onQuery, onMove } = props;
  const input = useRef<HTMLInputElement>(null);
  const [asksTime, setAsksTime] = useState(false);
  useLogCommands(
    props,
    () => input.current?.focus(),
    () => setAsksTime(true),
  );
  return (
    <Toolbar
      end={
        <>
          <LogStateText log={log} />
          <IconButton
            label="Wrap long lines"
            keys="w"
            pressed={wrap}
            onClick={() => props.onWrap(!wrap)}
          >
            <WrapText size={16} />
          </IconButton>
          <IconButton
            label="Line numbers"
            pressed={numbers}
            onClick={() => props.onNumbers(!numbers)}
          >
            <ListOrdered size={16} />
          </IconButton>
          <IconButton
            label="Timestamps"
            keys="shift+t"
            pressed={timestamps}
            onClick={() => props.onTimestamps(!timestamps)}
          >
            <Clock size={16} />
          </IconButton>
          <IconButton label="Go to a time" keys="t" onClick={() => setAsksTime(true)}>
            <CalendarClock size={16} />
          </IconButton>
          <LogTimeDialog open={asksTime} onClose={() => setAsksTime(false)} onTime={props.onTime} />
          <DownloadButton {...props} />
          <IconButton
            label={props.full ? 'Leave the full screen' : 'Full screen'}
            keys="shift+f"
            pressed={props.full}
            onClick={() => props.onFull(!props.full)}
          >
            {props.full ? <Minimize size={16} /> : <Maximize size={16} />}
          </IconButton>
          <IconButton label="Follow the end" keys="f" onClick={props.onEnd}>
            <ArrowDownToLine size={16} />
          </IconButton>
        </>
      }
    >
      {picker}
      <LogSearchField
        ref={input}
        query={query}
        result={search}
        current={current}
        onQuery={onQuery}
        onMove={onMove}
      />
    </Toolbar>
  );
}

function LogStateText({ log }: { readonly log: Log }) {
  const { state, snapshot } = log;
  const { length } = snapshot.lines;
  const last = snapshot.isFull && snapshot.start > 0 ? 'the last ' : '';
  const lines = `${last}${count(length)} line${length === 1 ? '' : 's'}`;
  const texts = {
    loading: 'Loading',
    following: `Live, ${lines}`,
    paused: `${lines} from the link on`,
    complete: `${lines}, ${bytes(snapshot.end)}`,
    failed: 'Interrupted',
  };
  return (
    <span className={styles.state} data-state={state.kind}>
      <span className={styles.dot} aria-hidden="true" />
      {texts[state.kind]}
    </span>
  );
}

function DownloadButton({ target, jobName, log, timestamps }: LogToolbarProps) {
  const client = useClient();
  const [progress, setProgress] = useState<number | null>(null);
  const { end } = log.snapshot;
  const download = async () => {
    setProgress(0);
    try {
      save(
        await wholeLog(client, target, { end, timestamps, onProgress: setProgress }),
        `${jobName}.log`,
      );
    } catch (error) {
      toast.failed('The log could not be downloaded', errorText(error).what);
    } finally {
      setProgress(null);
    }
  };
  const label =
    progress === null ? 'Download the log' : `Downloading, ${bytes(progress)} of ${bytes(end)}`;
  return (
    <IconButton label={label} disabled={progress !== null || end === 0} onClick={download}>
      <Download size={16} />
    </IconButton>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function useLogCommands(
  props: LogToolbarProps,
  focusSearch: () => void,
  askTime: () => void,
): void {
  const latest = useLatest({ ...props, focusSearch, askTime });
  useCommands(
    useMemo(
      () =>
        (
          [
            ['log.search', 'Search the log', '/', () => latest.current.focusSearch()],
            ['log.next', 'Next hit', 'n', () => latest.current.onMove(1)],
            ['log.previous', 'Previous hit', 'shift+n', () => latest.current.onMove(-1)],
            ['log.wrap', 'Wrap long lines', 'w', () => latest.current.onWrap(!latest.current.wrap)],
            [
              'log.timestamps',
              'Timestamps of lines',
              'shift+t',
              () => latest.current.onTimestamps(!latest.current.timestamps),
            ],
            ['log.time', 'Go to a time', 't', () => latest.current.askTime()],
            ['log.link', 'Copy a link to this line of the log', 'y', () => latest.current.onLink()],
            [
              'log.full',
              'Full screen of the log',
              'shift+f',
              () => latest.current.onFull(!latest.current.full),
            ],
            ['log.end', 'Follow the end of the log', 'f', () => latest.current.onEnd()],
          ] as const
        ).map(([id, label, keys, run]) => ({ id, label, keys, run, group: 'This page' as const })),
      [latest],
    ),
  );
}
