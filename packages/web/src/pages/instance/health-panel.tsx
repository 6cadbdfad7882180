import type { Instance } from '@dstack/contract/wire';
import { useQuery } from '@tanstack/react-query';
import { healthCheckList } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { healthLook } from '../../domain/fleets/fleet-look.ts';
import { errorText } from '../../ui/feedback/error-text.ts';
import { InlineError } from '../../ui/feedback/inline-error.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './health-panel.module.css';

/** The findings of the checks of the hardware, newest first. */
export function HealthPanel({ instance }: { readonly instance: Instance }) {
  const client = useClient();
  const { data: checks, error } = useQuery(healthCheckList(client, instance));
  const found = checks?.filter(({ events }) => events.length > 0) ?? [];
  const [latest] = checks ?? [];
  return (
    <Panel title="Health">
      <div className={styles.now}>
        <StatusBadge look={healthLook(instance.health_status)} />
        {instance.health_message === undefined ? null : <span>{instance.health_message}</span>}
        {latest === undefined ? (
          <span className={styles.time}>Checks have recorded nothing yet.</span>
        ) : (
          <span className={styles.time}>
            last recorded <RelativeTime at={latest.collected_at} />
          </span>
        )}
      </div>
      {error === null ? null : <InlineError text={errorText(error).what} />}
      {found.length === 0 ? null : (
        <ul className={styles.checks}>
          {found.map((check) => (
            <li key={check.collected_at} className={styles.check}>
              <span className={styles.time}>
                <RelativeTime at={check.collected_at} />
              </span>
              <ul>
                {check.events.map((event) => (
                  <li key={`${event.timestamp} ${event.message}`} className={styles.event}>
                    <StatusBadge look={healthLook(event.status)} /> {event.message}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
