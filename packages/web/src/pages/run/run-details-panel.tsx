import type { Run } from '@dstack/contract/wire';
import { latestSubmission } from '../../data/runs/run-row.ts';
import { backendText, resourcesText } from '../../domain/format/resources.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';

/** The remaining facts of a run. */
export function RunDetailsPanel({ run }: { readonly run: Run }) {
  const latest = latestSubmission(run);
  const placed = latest?.job_provisioning_data;
  const [job] = run.jobs;
  const { configuration } = run.run_spec;
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Exit status', value: latest?.exit_status ?? null },
          { label: 'Fleet', value: run.fleet?.name ?? null },
          { label: 'Instance', value: placed?.instance_type.name },
          {
            label: 'Resources',
            value: placed && resourcesText(placed.instance_type.resources),
            wide: true,
          },
          { label: 'Backend', value: placed && backendText(placed.backend, placed.region) },
          { label: 'Region', value: placed?.region },
          { label: 'Zone', value: placed?.availability_zone ?? null },
          { label: 'Host', value: placed?.hostname ?? null },
          { label: 'Spot', value: placed?.instance_type.resources.spot ? 'yes' : null },
          { label: 'Image', value: job?.job_spec.image_name ?? null, wide: true },
          { label: 'Priority', value: configuration.priority || null },
          { label: 'Deployment', value: run.deployment_num > 0 ? run.deployment_num : null },
          { label: 'Submitted', value: <RelativeTime at={run.submitted_at} /> },
          {
            label: 'Next start',
            value: run.next_triggered_at ? <RelativeTime at={run.next_triggered_at} /> : null,
          },
          { label: 'Configuration', value: run.run_spec.configuration_path ?? null, wide: true },
          { label: 'Id', value: <code>{run.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}
