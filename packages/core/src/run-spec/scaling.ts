import type { ServiceConfiguration } from '@dstack/contract/wire';

type Scaling = ServiceConfiguration['scaling'];

interface Scaled {
  readonly scaling: Scaling;
  readonly autoscaling?: ServiceConfiguration['autoscaling'];
}

/** The targets of other figures than `rps` have no equivalent. */
const ANY_TARGET = 1;

/**
 * Clients of dstack 0.22.5 refuse a range of replicas without `scaling`, so services with `autoscaling`
 * have one that is shown and not used.
 */
export function withLegalScaling(service: ServiceConfiguration): ServiceConfiguration {
  const groups = service.groups?.map((group) => ({ ...group, scaling: legal(group) })) ?? null;
  return { ...service, scaling: legal(service), groups };
}

function legal({ scaling, autoscaling }: Scaled): Scaling {
  if (!autoscaling || scaling !== null) return scaling;
  const rule = autoscaling.find(({ metric }) => metric === 'rps') ?? autoscaling[0];
  return {
    metric: 'rps',
    target: rule?.metric === 'rps' ? rule.target : ANY_TARGET,
    window: null,
    scale_up_delay: rule?.scale_up_delay ?? 0,
    scale_down_delay: rule?.scale_down_delay ?? 0,
  };
}
