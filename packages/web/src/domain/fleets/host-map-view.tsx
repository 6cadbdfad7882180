import { Link } from '@tanstack/react-router';
import { StatusBadge } from '../../ui/status/status-badge.tsx';
import { resourcesText } from '../format/resources.ts';
import { NameLink } from '../links/name-link.tsx';
import { instanceLook } from './fleet-look.ts';
import styles from './host-map.module.css';
import { type HostCell, type HostTile, tileText } from './host-map.ts';

/** The hosts of a fleet: their GPUs or blocks, and the jobs on them. Every tile is also readable as text. */
export function HostMapView({ tiles }: { readonly tiles: readonly HostTile[] }) {
  return (
    <ul className={styles.map} aria-label="Hosts">
      {tiles.map((tile) => (
        <Tile key={tile.instance.id} tile={tile} />
      ))}
    </ul>
  );
}

function Tile({ tile }: { readonly tile: HostTile }) {
  const { instance, cells, jobs } = tile;
  const resources = instance.instance_type?.resources;
  return (
    <li className={styles.tile}>
      <div className={styles.head}>
        <NameLink
          to="/projects/$project/instances/$instance"
          params={{ project: instance.project_name, instance: instance.id }}
        >
          {instance.name}
        </NameLink>
        <StatusBadge look={instanceLook(instance)} />
      </div>
      <p className={styles.hardware}>
        {[instance.hostname, resources && resourcesText(resources)].filter(Boolean).join(' · ')}
      </p>
      <div className={styles.cells} role="img" aria-label={tileText(tile)}>
        {cells.map((cell, index) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: cells are only their place
            key={index}
            className={styles.cell}
            data-use={cell.use}
            data-first={isFirst(cells, index) || undefined}
          />
        ))}
      </div>
      {jobs.length === 0 ? (
        <p className={styles.nothing}>No jobs</p>
      ) : (
        <ul className={styles.jobs} aria-label={`Jobs on ${instance.name}`}>
          {jobs.map((job, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: hidden runs have no id
            <li key={`${job.run_id ?? 'hidden'} ${index}`} className={styles.job}>
              <span className={styles.jobName}>
                {job.run_id === null || job.project_name === null ? (
                  job.run_name
                ) : (
                  <Link
                    to="/projects/$project/runs/$run"
                    params={{ project: job.project_name, run: job.run_name }}
                  >
                    <bdi>{job.run_name}</bdi>
                  </Link>
                )}
              </span>
              <span className={styles.share}>{shareText(job.blocks, instance.total_blocks)}</span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** A gap is drawn before the first cell of each further block. */
function isFirst(cells: readonly HostCell[], index: number): boolean {
  return index > 0 && cells[index]?.block !== cells[index - 1]?.block;
}

function shareText(blocks: number | null, total: number | null): string {
  if (blocks === null || total === null || total <= 1) return 'whole host';
  return `${blocks}/${total} blocks`;
}

const LEGEND = [
  ['busy', 'in use'],
  ['free', 'free'],
  ['starting', 'starting'],
  ['unusable', 'not usable'],
] as const;

export function HostMapLegend() {
  return (
    <div className={styles.legend}>
      {LEGEND.map(([use, text]) => (
        <span key={use} className={styles.key}>
          <span className={styles.cell} data-use={use} aria-hidden="true" />
          {text}
        </span>
      ))}
    </div>
  );
}
