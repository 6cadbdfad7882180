import type { ServiceTrafficSum } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { RunRow } from '../../data/runs/run-row.ts';
import { runLook } from '../../domain/runs/run-look.ts';
import { latencyText, rateText, replicasText } from '../../domain/services/service-figures.ts';
import { useServiceFigures } from '../../domain/services/use-service-figures.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import styles from './overview.module.css';

/** The newest ones; the list of services has all. */
const SHOWN = 5;

/** The active services, with their requests in the last minute; nothing where there are none. */
export function ServicesPanel({ runs }: { readonly runs: readonly RunRow[] | undefined }) {
  const services = useMemo(
    () => (runs ?? []).filter(({ type }) => type === 'service').slice(0, SHOWN),
    [runs],
  );
  const figures = useServiceFigures(services, SHOWN);
  if (services.length === 0) return null;
  return (
    <Panel
      title="Services"
      flush
      actions={
        <Link to="/services" className={buttonClass({ variant: 'quiet', size: 'sm' })}>
          All services
        </Link>
      }
    >
      <ul>
        {services.map((row) => (
          <li key={row.id} className={styles.entry}>
            <div className={styles.entryHead}>
              <Link
                to="/projects/$project/runs/$run"
                params={{ project: row.project, run: row.name }}
                className={styles.name}
              >
                <bdi>{row.name}</bdi>
              </Link>
              <StatusBadge look={runLook(row)} />
            </div>
            <ServiceFacts row={row} figures={figures.get(row.id)} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function ServiceFacts(props: {
  readonly row: RunRow;
  readonly figures: ServiceTrafficSum | undefined;
}) {
  const { row, figures } = props;
  return (
    <p className={styles.entryFacts}>
      <span>{row.project}</span>
      {row.replicas === null ? null : <span>{replicasText(row.replicas, figures ?? null)}</span>}
      {figures === undefined ? null : <span>{rateText(figures)}</span>}
      {figures === undefined || figures.p95_ms === null ? null : (
        <span>p95 {latencyText(figures.p95_ms)}</span>
      )}
    </p>
  );
}
