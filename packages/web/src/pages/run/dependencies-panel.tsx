import type { Run } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { runQuery } from '../../data/runs/run-queries.ts';
import { runRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { NameLink } from '../../domain/links/name-link.tsx';
import {
  CONDITION_TEXTS,
  type RunCondition,
  upstreamState,
} from '../../domain/queue/dependency-look.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { isMissingError } from '../../ui/feedback/error-text.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge, type StatusLook } from '../../ui/status/status-badge.tsx';
import styles from './dependencies-panel.module.css';

/** Each run is a request, and a longer list is read in the configuration. */
const MOST = { runs: 12, links: 4 } as const;

/** The runs that this one waits for, those that they wait for in turn, and how each stands. */
export function DependenciesPanel({ run }: { readonly run: Run }) {
  const count = run.run_spec.configuration.depends_on?.length ?? 0;
  if (count === 0) return null;
  return (
    <Panel title="Depends on" count={count}>
      <Chain run={run} link={1} />
    </Panel>
  );
}

function Chain({ run, link }: { readonly run: Run; readonly link: number }) {
  const all = run.run_spec.configuration.depends_on ?? [];
  const shown = all.slice(0, MOST.runs);
  return (
    <>
      <ul className={styles.chain}>
        {shown.map(({ run: name, on, keep }) => (
          <Upstream key={name} of={run} {...{ name, on, keep, link }} />
        ))}
      </ul>
      {all.length > shown.length ? (
        <p className={styles.note}>{all.length - shown.length} more are in the configuration.</p>
      ) : null}
    </>
  );
}

interface UpstreamProps {
  /** The run that depends on it. */
  readonly of: Run;
  readonly name: string;
  readonly on: RunCondition;
  readonly keep: boolean;
  readonly link: number;
}

function Upstream({ of, name, on, keep, link }: UpstreamProps) {
  const { data, error } = useQuery(runQuery(useClient(), of.project_name, name));
  // A name may have been used again since; the server compares ids.
  const isAnother = data !== undefined && data.submitted_at > of.submitted_at;
  const params = { project: of.project_name, run: name };
  const state = data === undefined || isAnother ? null : upstreamState(data.status, on);
  return (
    <li className={styles.link} data-state={state ?? undefined}>
      <div className={styles.line}>
        <NameLink to="/projects/$project/runs/$run" params={params}>
          {name}
        </NameLink>
        <Badge run={isAnother ? undefined : data} isMissing={isMissingError(error)} />
      </div>
      <p className={styles.note}>
        {CONDITION_TEXTS[on]}
        {isAnother ? ', and a later run has this name now' : null}
        {state === 'met' ? ', and has' : null}
        {state === 'unmet'
          ? `, and has not${keep ? ': it is kept until it is released' : ''}`
          : null}
      </p>
      {data !== undefined && !isAnother && state === 'open' && link < MOST.links ? (
        <Chain run={data} link={link + 1} />
      ) : null}
    </li>
  );
}

const DELETED: StatusLook = { tone: 'stopped', icon: 'stopped', text: 'Deleted' };

function Badge(props: { readonly run: Run | undefined; readonly isMissing: boolean }) {
  const { run, isMissing } = props;
  if (run !== undefined) return <StatusBadge look={runLook(runRow(run))} />;
  return isMissing ? <StatusBadge look={DELETED} /> : null;
}
