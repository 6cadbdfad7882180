import { useQuery } from '@tanstack/react-query';
import type { NamedService } from '../../data/services/service-queries.ts';
import { serviceFiguresQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import {
  inFlightText,
  latencyText,
  outcomesText,
  rateText,
  readyText,
} from '../../domain/services/service-figures.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';

/** The requests of a service in the last minute. */
export function ServicePanel({ service }: { readonly service: NamedService }) {
  const { data } = useQuery(serviceFiguresQuery(useClient(), service));
  if (data === undefined) return null;
  return (
    <Panel title="Requests">
      <Properties
        items={[
          { label: 'Rate', value: rateText(data) },
          { label: 'In flight', value: inFlightText(data) },
          { label: 'p50', value: latencyText(data.p50_ms) },
          { label: 'p99', value: latencyText(data.p99_ms) },
          { label: 'Replicas', value: readyText(data) },
          { label: 'Answered', value: outcomesText(data.answered), wide: true },
          ...(data.mirrored === null
            ? []
            : [{ label: 'Copies', value: outcomesText(data.mirrored.copies), wide: true }]),
        ]}
      />
    </Panel>
  );
}
