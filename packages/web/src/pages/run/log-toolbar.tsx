import {
  ArrowDownToLine,
  ChevronDown,
  ChevronUp,
  Clock,
  Download,
  ListOrdered,
  WrapText,
} from 'lucide-react';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { type LogTarget, wholeLog } from '../../data/logs/log-stream.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { bytes, count } from '../../domain/format/quantities.ts';
import { MAX_HITS } from '../../domain/logs/log-search.ts';
import type { Log } from '../../domain/logs/use-log.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { SearchInput } from '../../ui/field/search-input.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { useLatest } from '../../ui/use-latest.ts';
import styles from './log-panel.module.css';

export interface LogToolbarProps {
  readonly target: LogTarget;
  readonly jobName: string;
  readonly log: Log;
  readonly picker: ReactNode;
  readonly query: string;
  readonly hits: number;
  readonly current: number;
  readonly wrap: boolean;
  readonly numbers: boolean;
  readonly timestamps: boolean;
  readonly onQuery: (query: string) => void;
  readonly onMove: (step: 1 | -1) => void;
  readonly onWrap: (wrap: boolean) => void;
  readonly onNumbers: (numbers: boolean) => void;
  readonly onTimestamps: (timestamps: boolean) => void;
  readonly onEnd: () => void;
}

export function LogToolbar(props: LogToolbarProps) {
  const { log, picker, query, hits, current, wrap, numbers, timestamps, onQuery, onMove } = props;
  const input = useRef<HTMLInputElement>(null);
  useLogCommands(props, () => input.current?.focus());
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
          <DownloadButton {...props} />
          <IconButton label="Follow the end" keys="f" onClick={props.onEnd}>
            <ArrowDownToLine size={16} />
          </IconButton>
        </>
      }
    >
      {picker}
      <search className={styles.search}>
        <SearchInput
          ref={input}
          label="Search the log"
          keys="/"
          value={query}
          onChange={onQuery}
          onEnter={(shift) => onMove(shift ? -1 : 1)}
        />
        <IconButton label="Previous hit" keys="shift+n" size="sm" onClick={() => onMove(-1)}>
          <ChevronUp size={16} />
        </IconButton>
        <IconButton label="Next hit" keys="n" size="sm" onClick={() => onMove(1)}>
          <ChevronDown size={16} />
        </IconButton>
        <span className={styles.hits} role="status">
          {query === '' ? '' : hitText(hits, current)}
        </span>
      </search>
    </Toolbar>
  );
}

function hitText(hits: number, current: number): string {
  if (hits === 0) return 'no hits';
  const total = hits >= MAX_HITS ? `${count(MAX_HITS)}+` : count(hits);
  return current < 0 ? `${total} hit${hits === 1 ? '' : 's'}` : `${count(current + 1)} of ${total}`;
}

function LogStateText({ log }: { readonly log: Log }) {
  const { state, snapshot } = log;
  const { length } = snapshot.lines;
  const last = snapshot.isFull && snapshot.start > 0 ? 'the last ' : '';
  const lines = `${last}${count(length)} line${length === 1 ? '' : 's'}`;
  const texts = {
    loading: 'Loading',
    following: `Live, ${lines}`,
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

function useLogCommands(props: LogToolbarProps, focusSearch: () => void): void {
  const latest = useLatest({ ...props, focusSearch });
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
            ['log.end', 'Follow the end of the log', 'f', () => latest.current.onEnd()],
          ] as const
        ).map(([id, label, keys, run]) => ({ id, label, keys, run, group: 'This page' as const })),
      [latest],
    ),
  );
}
