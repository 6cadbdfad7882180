import { ArrowDownToLine, CalendarClock, Clock, Maximize, Minimize, WrapText } from 'lucide-react';
import { type ReactNode, useMemo, useRef, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { useLiveState } from '../../data/live/live-context.tsx';
import type { LogLevel } from '../../domain/logs/log-level.ts';
import type { LogState } from '../../domain/logs/use-log.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { Select } from '../../ui/select/select.tsx';
import { Toolbar } from '../../ui/table/toolbar.tsx';
import { useLatest } from '../../ui/use-latest.ts';
import styles from './log-panel.module.css';
import { LogSearchField, type LogSearchFieldProps } from './log-search-field.tsx';
import { LogTimeDialog } from './log-time-dialog.tsx';
import { type LogLook, LogViewMenu } from './log-view-menu.tsx';

export interface LogToolbarProps {
  readonly state: LogState;
  readonly amount: string;
  readonly picker: ReactNode;
  readonly download: ReactNode;
  readonly search: Omit<LogSearchFieldProps, 'ref'>;
  readonly look: LogLook & { readonly hasJson: boolean };
  /** Null: the log names no levels. */
  readonly level: {
    readonly least: LogLevel | null;
    readonly onLeast: (least: string) => void;
  } | null;
  readonly full: boolean;
  readonly onLook: (change: Partial<LogLook>) => void;
  readonly onEnd: () => void;
  /** Shows the log from this time on; returns an error message, or null if the log shows it. */
  readonly onTime: (time: number) => string | null;
  /** Copies a link to the line that the reader is concerned with. */
  readonly onLink: () => void;
  readonly onFull: (full: boolean) => void;
}

const LEVEL_OPTIONS = [
  { value: 'all', label: 'All levels' },
  { value: 'info', label: 'Info and above' },
  { value: 'warning', label: 'Warnings and errors' },
  { value: 'error', label: 'Errors' },
];

export function LogToolbar(props: LogToolbarProps) {
  const { look, level, full, onLook } = props;
  const input = useRef<HTMLInputElement>(null);
  const [asksTime, setAsksTime] = useState(false);
  const toggleTimes = () => onLook({ times: look.times === 'off' ? 'local' : 'off' });
  useLogCommands({
    search: () => input.current?.focus(),
    next: () => props.search.onMove(1),
    previous: () => props.search.onMove(-1),
    wrap: () => onLook({ wrap: !look.wrap }),
    timestamps: toggleTimes,
    time: () => setAsksTime(true),
    link: props.onLink,
    full: () => props.onFull(!full),
    end: props.onEnd,
  });
  return (
    <Toolbar
      end={
        <>
          <Progress state={props.state} amount={props.amount} />
          <IconButton
            label="Wrap long lines"
            keys="w"
            pressed={look.wrap}
            onClick={() => onLook({ wrap: !look.wrap })}
          >
            <WrapText size={16} />
          </IconButton>
          <IconButton
            label="Timestamps"
            keys="shift+t"
            pressed={look.times !== 'off'}
            onClick={toggleTimes}
          >
            <Clock size={16} />
          </IconButton>
          <LogViewMenu look={look} hasJson={look.hasJson} onLook={onLook} />
          <IconButton label="Go to a time" keys="t" onClick={() => setAsksTime(true)}>
            <CalendarClock size={16} />
          </IconButton>
          <LogTimeDialog open={asksTime} onClose={() => setAsksTime(false)} onTime={props.onTime} />
          {props.download}
          <IconButton
            label={full ? 'Leave the full screen' : 'Full screen'}
            keys="shift+f"
            pressed={full}
            onClick={() => props.onFull(!full)}
          >
            {full ? <Minimize size={16} /> : <Maximize size={16} />}
          </IconButton>
          <IconButton label="Follow the end" keys="f" onClick={props.onEnd}>
            <ArrowDownToLine size={16} />
          </IconButton>
        </>
      }
    >
      {props.picker}
      {level === null ? null : (
        <Select
          label="Level"
          value={level.least ?? 'all'}
          options={LEVEL_OPTIONS}
          onChange={level.onLeast}
        />
      )}
      <LogSearchField ref={input} {...props.search} />
    </Toolbar>
  );
}

const COMMANDS = [
  ['search', 'Search the log', '/'],
  ['next', 'Next hit', 'n'],
  ['previous', 'Previous hit', 'shift+n'],
  ['wrap', 'Wrap long lines', 'w'],
  ['timestamps', 'Timestamps of lines', 'shift+t'],
  ['time', 'Go to a time', 't'],
  ['link', 'Copy a link to this line of the log', 'y'],
  ['full', 'Full screen of the log', 'shift+f'],
  ['end', 'Follow the end of the log', 'f'],
] as const;

function useLogCommands(actions: Readonly<Record<(typeof COMMANDS)[number][0], () => void>>): void {
  const latest = useLatest(actions);
  useCommands(
    useMemo(
      () =>
        COMMANDS.map(([name, label, keys]) => ({
          id: `log.${name}`,
          label,
          keys,
          group: 'This page' as const,
          run: () => latest.current[name](),
        })),
      [latest],
    ),
  );
}

/** Output cannot arrive while the server does not answer. */
function Progress({ state, amount }: Pick<LogToolbarProps, 'state' | 'amount'>) {
  const isOffline = useLiveState().kind === 'offline';
  const isFollowing = state.kind === 'following';
  return (
    <span className={styles.state} data-state={isFollowing && isOffline ? 'offline' : state.kind}>
      <span className={styles.dot} aria-hidden="true" />
      {isFollowing && (isOffline ? 'Offline, ' : 'Live, ')}
      {amount}
    </span>
  );
}
