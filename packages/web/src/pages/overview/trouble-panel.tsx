import type { Instance } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { instanceLook } from '../../domain/fleets/fleet-look.ts';
import {
  type TroubledFleet,
  troubledFleets,
  troubleText,
} from '../../domain/fleets/troubled-fleets.ts';
import { plural } from '../../domain/format/quantities.ts';
import { visibleText } from '../../ui/code/visible-text.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import styles from './overview.module.css';

/** More hosts of a fleet are only counted. */
const MOST_HOSTS = 5;

/** Fleets with hosts that do not answer or fail; nothing where all are well. */
export function TroublePanel({
  instances,
}: {
  readonly instances: readonly Instance[] | undefined;
}) {
  const fleets = troubledFleets(instances ?? []);
  if (fleets.length === 0) return null;
  return (
    <Panel title="Hosts that need attention" flush>
      <ul>
        {fleets.map((fleet) => (
          <Fleet key={`${fleet.project} ${fleet.name}`} fleet={fleet} />
        ))}
      </ul>
    </Panel>
  );
}

function Fleet({ fleet: { project, name, instances } }: { readonly fleet: TroubledFleet }) {
  const more = instances.length - MOST_HOSTS;
  return (
    <li className={styles.entry}>
      <div className={styles.entryHead}>
        {name === null ? (
          'No fleet'
        ) : (
          <Link
            to="/projects/$project/fleets/$fleet"
            params={{ project, fleet: name }}
            className={styles.name}
          >
            <bdi>{name}</bdi>
          </Link>
        )}
        <span className={styles.entryFacts}>{project}</span>
      </div>
      <ul className={styles.hosts}>
        {instances.slice(0, MOST_HOSTS).map((instance) => (
          <li key={instance.id}>
            <div className={styles.entryHead}>
              <Link
                to="/projects/$project/instances/$instance"
                params={{ project, instance: instance.id }}
                className={styles.name}
              >
                <bdi>{instance.name}</bdi>
              </Link>
              <StatusBadge look={instanceLook(instance)} />
            </div>
            <p className={styles.reason}>{visibleText(troubleText(instance))}</p>
          </li>
        ))}
      </ul>
      {more > 0 ? <p className={styles.entryFacts}>and {plural(more, 'more host')}</p> : null}
    </li>
  );
}
