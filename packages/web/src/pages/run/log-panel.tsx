import type { JobStatus } from '@dstack/contract/wire';
import { ScrollText } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import type { LogTarget } from '../../data/logs/log-stream.ts';
import { bytes, plural } from '../../domain/format/quantities.ts';
import type { LogPlace } from '../../domain/logs/log-place.ts';
import type { LogViewHandle } from '../../domain/logs/log-view-props.ts';
import type { Log } from '../../domain/logs/use-log.ts';
import { useRestSearch } from '../../domain/logs/use-rest-search.ts';
import { jobLook } from '../../domain/runs/job-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { EmptyState } from '../../ui/feedback/empty-state.tsx';
import { absoluteTime } from '../../ui/time/format-time.ts';
import { LogDownload } from './log-download.tsx';
import { LogWorkspace } from './log-workspace.tsx';
import { type LogAddress, useLogPlace } from './use-log-place.ts';

export interface LogPanelProps {
  readonly target: LogTarget;
  readonly address: LogAddress;
  readonly status: JobStatus;
  readonly picker: ReactNode;
}

/** The output of one job. */
export function LogPanel({ target, address, status, picker }: LogPanelProps) {
  const view = useRef<LogViewHandle>(null);
  const { log, start, marked, linkOf, onLink, goTo, toEnd } = useLogPlace(target, address, view);
  const { lines, end } = log.snapshot;
  const rest = useRestSearch(target);
  return (
    <LogWorkspace
      label={`Output of ${address.job}`}
      lines={lines}
      state={log.state}
      amount={amountOf(log)}
      part={partOf(log)}
      unread={log.loadNewer !== null || (log.snapshot.start > 0 && !log.snapshot.isFull)}
      picker={picker}
      download={(timestamps) => (
        <LogDownload target={target} jobName={address.job} end={end} timestamps={timestamps} />
      )}
      empty={
        start === null ? (
          <NoOutput isOver={log.state.kind === 'complete'} status={status} />
        ) : (
          <NothingThere place={start} isOver={log.state.kind === 'complete'} onEnd={toEnd} />
        )
      }
      view={view}
      marked={marked}
      linkOf={linkOf}
      onLink={onLink}
      onTime={goTo}
      onEnd={toEnd}
      onOlder={log.loadOlder}
      onNewer={log.loadNewer}
      onRetry={log.retry}
      rest={rest}
    />
  );
}

/** Null: the lines are all of the output, up to its present end. */
function partOf({ snapshot: { start, lines } }: Pick<Log, 'snapshot'>): string | null {
  return start > 0 ? `the last ${plural(lines.length, 'line')}` : null;
}

function amountOf({ state, snapshot }: Log): string {
  const lines = partOf({ snapshot }) ?? plural(snapshot.lines.length, 'line');
  switch (state.kind) {
    case 'loading':
      return 'Loading';
    case 'following':
      return lines;
    case 'paused':
      return `${lines} from the link on`;
    case 'complete':
      return snapshot.start > 0
        ? `${lines} of ${bytes(snapshot.end)}`
        : `${lines}, ${bytes(snapshot.end)}`;
    case 'failed':
      return 'Interrupted';
  }
}

function NoOutput({ isOver, status }: { readonly isOver: boolean; readonly status: JobStatus }) {
  return (
    <EmptyState icon={ScrollText} title={isOver ? 'The job printed nothing' : 'No output yet'}>
      <p>
        {isOver
          ? 'The reason why it ended is on the overview.'
          : `The job is ${jobLook(status, '').text.toLowerCase()}. Its output appears here as it is printed.`}
      </p>
    </EmptyState>
  );
}

interface NothingThereProps {
  readonly place: LogPlace;
  readonly isOver: boolean;
  readonly onEnd: () => void;
}

/** A link leads to where nothing was printed. */
function NothingThere({ place, isOver, onEnd }: NothingThereProps) {
  const { time, offset } = place;
  return (
    <EmptyState
      icon={ScrollText}
      title="Nothing was printed there"
      actions={<Button onClick={onEnd}>Show the end of the output</Button>}
    >
      <p>
        The link leads to {time === null ? `byte ${offset ?? 0}` : absoluteTime(time)}, after{' '}
        {isOver ? 'all output of this job.' : 'all that the job has printed so far.'}
      </p>
    </EmptyState>
  );
}
