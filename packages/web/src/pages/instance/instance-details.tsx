import type { Instance } from '@dstack/contract/wire';
import type { ReactNode } from 'react';
import { money } from '../../domain/format/quantities.ts';
import { backendText, resourcesText } from '../../domain/format/resources.ts';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { Moment, RelativeTime } from '../../ui/time/time.tsx';

export function InstanceDetails({ instance }: { readonly instance: Instance }) {
  const { instance_type, hostname, gpu_driver, total_blocks, busy_blocks } = instance;
  return (
    <Panel title="Details">
      <Properties
        items={[
          {
            label: 'Address',
            value: hostname && (
              <>
                {hostname} <CopyButton text={hostname} label="Copy the address" />
              </>
            ),
          },
          { label: 'Scheduling', value: schedulingView(instance), wide: true },
          { label: 'Backend', value: backendText(instance.backend, instance.region) },
          { label: 'Region', value: instance.region },
          { label: 'Zone', value: instance.availability_zone },
          { label: 'Instance type', value: instance_type?.name },
          {
            label: 'Resources',
            value: instance_type && resourcesText(instance_type.resources),
            wide: true,
          },
          { label: 'GPU driver', value: gpu_driver?.version },
          {
            label: 'Blocks in use',
            value:
              total_blocks !== null && total_blocks > 1
                ? `${busy_blocks} of ${total_blocks}`
                : null,
          },
          { label: 'Spot', value: instance_type?.resources.spot ? 'yes' : null },
          {
            label: 'Price',
            value: instance.price ? `${money(instance.price)}/h` : null,
          },
          {
            label: 'Ended',
            value: instance.finished_at && <RelativeTime at={instance.finished_at} />,
          },
          {
            label: 'Why it ended',
            value: instance.termination_reason_message ?? instance.termination_reason,
            wide: true,
          },
          { label: 'Id', value: <code>{instance.id}</code>, wide: true },
        ]}
      />
    </Panel>
  );
}

/** Who keeps new jobs off it, until when and why; null = it gets jobs. */
function schedulingView({ scheduling }: Instance): ReactNode {
  if (scheduling === undefined) return null;
  const { state, by, until, deadline, reason } = scheduling;
  const end = state === 'draining' ? deadline : until;
  return (
    <>
      {state}
      {by === null ? null : (
        <>
          {' '}
          by <bdi>{by}</bdi>
        </>
      )}
      {end === null ? null : (
        <>
          , until <Moment at={end} />
        </>
      )}
      {reason === null ? null : (
        <>
          : <bdi>{reason}</bdi>
        </>
      )}
    </>
  );
}
