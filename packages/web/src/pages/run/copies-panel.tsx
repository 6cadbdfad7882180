import { useQuery } from '@tanstack/react-query';
import { type NamedService, serviceFiguresQuery } from '../../data/services/service-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { latencyText, outcomesText, rateText } from '../../domain/services/service-figures.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';

/** The copies of the requests of a service that another service gets. */
export function CopiesPanel({ service }: { readonly service: NamedService }) {
  const { data } = useQuery(serviceFiguresQuery(useClient(), service));
  const copies = data?.mirrored ?? null;
  if (copies === null) return null;
  return (
    <Panel title="Copies of requests">
      <Properties
        items={[
          { label: 'Rate', value: rateText(copies) },
          { label: 'p95', value: latencyText(copies.p95_ms) },
          { label: 'Answered', value: outcomesText(copies.copies), wide: true },
        ]}
      />
    </Panel>
  );
}
