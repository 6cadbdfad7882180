import { useMemo } from 'react';
import type { GatewayLog, ReplicaLine } from '../../data/gateways/gateway-log.ts';
import { Button } from '../../ui/button/button.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { InlineError } from '../../ui/feedback/inline-error.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Select } from '../../ui/select/select.tsx';
import { LogLines } from './log-lines.tsx';
import styles from './logs-view.module.css';

type Source = ReplicaLine['source'];

interface LogsViewProps {
  readonly log: GatewayLog | undefined;
  readonly error: unknown;
  readonly onRetry: () => void;
  readonly replicas: readonly number[];
  /** The one that is shown; null: all. */
  readonly replica: number | null;
  readonly source: Source | null;
  readonly follows: boolean;
  readonly onReplica: (replica: number | null) => void;
  readonly onSource: (source: Source | null) => void;
  readonly onFollow: (follows: boolean) => void;
}

const SOURCES = [
  { value: 'all', label: 'All logs' },
  { value: 'gateway', label: 'Program' },
  { value: 'nginx', label: 'nginx' },
] as const;

export function LogsView(props: LogsViewProps) {
  const { log, error, source, follows, onSource, onFollow } = props;
  const shown = useMemo(
    () => log?.lines.filter((line) => source === null || line.isGap || line.source === source),
    [log, source],
  );
  return (
    <Panel
      title="Logs"
      flush
      actions={
        <>
          <ReplicaSelect {...props} />
          <Select
            label="Log"
            size="sm"
            value={source ?? 'all'}
            options={SOURCES}
            onChange={(value) => onSource(value === 'all' ? null : value)}
          />
          <Button
            size="sm"
            variant="quiet"
            aria-pressed={follows}
            onClick={() => onFollow(!follows)}
          >
            Follow
          </Button>
        </>
      }
    >
      {log === undefined && error !== null ? (
        <ErrorPanel title="The logs could not be loaded" error={error} onRetry={props.onRetry} />
      ) : (
        <>
          <Troubles log={log} error={error} />
          {log === undefined || shown === undefined ? (
            <div className={styles.lines}>
              <Skeleton lines={8} />
            </div>
          ) : (
            <LogLines
              key={`${props.replica} ${source}`}
              lines={shown}
              none={noneText(log, source)}
              namesReplicas={props.replicas.length > 1 && props.replica === null}
            />
          )}
        </>
      )}
    </Panel>
  );
}

/** Nothing to choose with a single replica, unless the address names another one. */
function ReplicaSelect({ replicas, replica, onReplica }: LogsViewProps) {
  if (replicas.length < 2 && replica === null) return null;
  const numbers = [...new Set(replica === null ? replicas : [...replicas, replica])];
  return (
    <Select
      label="Replica"
      size="sm"
      value={replica === null ? 'all' : String(replica)}
      options={[
        { value: 'all', label: 'All replicas' },
        ...numbers
          .sort((a, b) => a - b)
          .map((number) => ({ value: String(number), label: `Replica ${number}` })),
      ]}
      onChange={(value) => onReplica(value === 'all' ? null : Number(value))}
    />
  );
}

/** Why lines may be missing. */
function Troubles({ log, error }: Pick<LogsViewProps, 'log' | 'error'>) {
  const away = log?.unanswered ?? [];
  if (error === null && away.length === 0) return null;
  return (
    <div className={styles.troubles}>
      {error === null ? null : <InlineError text={errorText(error).what} />}
      {away.map((number) => (
        <p key={number}>Replica {number} does not answer</p>
      ))}
    </div>
  );
}

function noneText({ answered, unanswered, lines }: GatewayLog, source: Source | null): string {
  if (answered.length + unanswered.length === 0) return 'The gateway has no replica yet.';
  if (source === null || lines.length === 0) return 'No lines yet.';
  return `None of the last ${lines.length} lines is of this log.`;
}
