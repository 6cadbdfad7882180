import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import { Link } from '@tanstack/react-router';
import { latestSubmission, runRow } from '../../data/runs/run-row.ts';
import { plural } from '../../domain/format/quantities.ts';
import { backendText, instancesText, resourcesText } from '../../domain/format/resources.ts';
import { PriorityEditor } from '../../domain/queue/priority-editor.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';
import styles from './run.module.css';

/** The priority, which can be changed until the run has ended. */
function priorityOf(run: Run, priority: number) {
  if (isRunFinished(run.status)) return priority || null;
  const { run_name } = run.run_spec;
  return <PriorityEditor project={run.project_name} run={run_name ?? ''} priority={priority} />;
}

/** The type of an instance on the server's machine that runs processes, without containers. */
const PROCESSES = 'local-process';

/** The remaining facts of a run. What differs from job to job is in the table of jobs. */
export function RunDetailsPanel({ run }: { readonly run: Run }) {
  const row = runRow(run);
  const only = run.jobs.length === 1 ? latestSubmission(run) : null;
  const placed = only?.job_provisioning_data;
  const images = [...new Set(run.jobs.map(({ job_spec }) => job_spec.image_name))];
  const { configuration } = run.run_spec;
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Exit status', value: only?.exit_status ?? null },
          { label: 'Fleet', value: run.fleet?.name ?? null },
          {
            label: row.instances > 1 ? 'Instances' : 'Instance',
            value:
              row.instances > 1 && run.fleet ? (
                <Link
                  to="/instances"
                  search={{ fleet_ids: run.fleet.id }}
                  className={styles.link}
                  title={`All ${plural(row.instances, 'instance')} of fleet ${run.fleet.name}`}
                >
                  {instancesText(row.instances, row.instanceType)}
                </Link>
              ) : (
                instancesText(row.instances, row.instanceType)
              ),
          },
          {
            label: row.jobs > 1 ? 'Resources of all jobs' : 'Resources',
            value: row.resources && resourcesText(row.resources),
            wide: true,
          },
          { label: 'Backend', value: backendText(row.backend, row.region) },
          { label: 'Region', value: row.region },
          { label: 'Zone', value: placed?.availability_zone ?? null },
          { label: 'Host', value: placed?.hostname ?? null },
          { label: 'Spot', value: row.resources?.spot ? 'yes' : null },
          {
            label: 'Image',
            value: images.length === 1 && row.instanceType !== PROCESSES ? images[0] : null,
            wide: true,
          },
          { label: 'Priority', value: priorityOf(run, configuration.priority ?? 0) },
          { label: 'Deployment', value: run.deployment_num > 0 ? run.deployment_num : null },
          { label: 'Submitted', value: <RelativeTime at={run.submitted_at} /> },
          {
            label: 'Next start',
            value: row.nextStartAt === null ? null : <RelativeTime at={row.nextStartAt} />,
          },
          { label: 'Configuration', value: run.run_spec.configuration_path ?? null, wide: true },
          { label: 'Id', value: <code>{run.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}
