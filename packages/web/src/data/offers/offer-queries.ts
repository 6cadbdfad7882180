import type { Client } from '@dstack/client';
import type { CpuGroup, GpuGroup, RunPlan, RunSpec } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export type OfferGrouping = 'gpu' | 'backend' | 'region' | 'single';
export type PlanOffer = RunPlan['job_plans'][number]['offers'][number];

/** The filters of a search for offers, and how the offers are grouped. */
export interface OfferWish {
  readonly kind: 'gpu' | 'cpu';
  readonly grouping: OfferGrouping;
  readonly spot: 'auto' | 'spot' | 'on-demand';
}

export interface FoundOffers {
  readonly groups: readonly (GpuGroup | CpuGroup)[];
  readonly offers: readonly PlanOffer[];
  /** How many there are; more than `offers` has. */
  readonly total: number;
}

/** Single offers that are shown. */
const MOST = 500;

const GROUP_BY = { gpu: [], backend: ['backend'], region: ['backend', 'region'] } as const;

/** The offers of the backends and fleets of a project, in groups or one by one. */
export function offersQuery(client: Client, project: string, wish: OfferWish) {
  return queryOptions<FoundOffers>({
    queryKey: ['offers', project, wish],
    queryFn: async () => {
      const { runs } = client.project(project);
      const run_spec = specOf(wish);
      if (wish.grouping === 'single') {
        const plan = await runs.getPlan({ run_spec, max_offers: MOST, for_offers_only: true });
        const [job] = plan.job_plans;
        return { groups: [], offers: job?.offers ?? [], total: job?.total_offers ?? 0 };
      }
      const group_by = GROUP_BY[wish.grouping];
      const { gpus, cpus = [] } = await runs.listGpus({ run_spec, group_by });
      const groups = wish.kind === 'gpu' ? gpus : cpus;
      return { groups, offers: [], total: groups.length };
    },
    staleTime: 30_000,
  });
}

/** Any machine: the smallest amounts of everything. */
function specOf({ kind, spot }: OfferWish): RunSpec {
  const configuration = {
    type: 'task',
    commands: [':'],
    spot_policy: spot,
    resources: { cpu: '0..', memory: '0..', disk: '0..', gpu: kind === 'gpu' ? '1..' : 0 },
  };
  return { configuration, profile: { name: 'default' } } as unknown as RunSpec;
}
