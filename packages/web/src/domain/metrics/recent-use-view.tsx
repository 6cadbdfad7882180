import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { instancesUse } from '../../data/metrics/instance-use.ts';
import {
  type GlanceTarget,
  RECENT_MINUTES,
  recentMetrics,
} from '../../data/metrics/recent-metrics.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Sparkline } from '../../ui/chart/sparkline.tsx';
import { percent } from '../format/quantities.ts';
import { measuredIds, usedTogether } from './instances-use.ts';
import { seriesSummary } from './job-charts.ts';
import { type RecentUse, recentUse } from './recent-use.ts';
import styles from './recent-use-view.module.css';

/** The width of a column with this view in px: the line, and `GPU 100 %`. */
export const USE_WIDTH = 164;

interface RecentUseViewProps {
  readonly target: GlanceTarget;
  /** The kind that the heading of the column names; any other is named in the row. Null: it names none. */
  readonly expected: RecentUse['kind'] | null;
  /** The name of the job, where that is not evident from the row. */
  readonly of?: string;
}

/** How busy a running job was in the last minutes. Only visible rows ask for it. */
export function RecentUseView({ target, expected, of }: RecentUseViewProps) {
  const { data: use } = useQuery({
    ...recentMetrics(useClient(), target),
    select: recentUse,
  });
  return use == null ? null : <UseLine use={use} expected={expected} of={of} />;
}

/** How busy instances were together in the last minutes. */
export function InstancesUseView({ instances }: { readonly instances: readonly Instance[] }) {
  const { data } = useQuery(instancesUse(useClient(), measuredIds(instances)));
  const use = usedTogether(instances, data ?? []);
  return use === null ? null : <UseLine use={use} expected={null} of={undefined} />;
}

interface UseLineProps {
  readonly use: RecentUse;
  readonly expected: RecentUse['kind'] | null;
  readonly of: string | undefined;
}

function UseLine({ use, expected, of }: UseLineProps) {
  const { kind, times, values } = use;
  const now = values.findLast((value) => value !== null);
  const summary = seriesSummary({ label: kind, values }, percent);
  const subject = of === undefined ? kind : `${kind} of ${of}`;
  return (
    <span className={styles.use} data-figure="">
      <Sparkline
        label={`${subject} in the last ${RECENT_MINUTES} minutes: ${summary}`}
        times={times}
        values={values}
        end={times.at(-1) ?? 0}
        span={RECENT_MINUTES * 60}
      />
      <span className={styles.share}>
        {kind === expected ? '' : `${kind} `}
        {now == null ? '–' : percent(now)}
      </span>
    </span>
  );
}
