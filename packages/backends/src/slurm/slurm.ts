/** Slurm clusters as a backend. */
import type { Requirements } from '@dstack/contract/wire';
import { capabilitiesOf, type Offer } from '@dstack/core';
import { AgentTunnels } from '../base/agent-tunnels.ts';
import { BackendError, NoAnswerError } from '../base/errors.ts';
import type { OpenedBackend } from '../base/kind.ts';
import type { Backend, CheckResult, OfferAnswer } from '../base/port.ts';
import { fileClaims } from './claims.ts';
import { type ClusterDeps, SlurmCluster } from './cluster.ts';
import { slurmGroups } from './groups.ts';
import { slurmInstances } from './instances.ts';
import { closedNodes, clusterOffers } from './offers.ts';
import type { SlurmClusterConfig } from './partitions.ts';

type Matches = (requirements: Requirements, offer: Offer) => boolean;

export interface SlurmOptions extends ClusterDeps {
  readonly clusters: readonly SlurmClusterConfig[];
  readonly matches: Matches;
}

export function openSlurm(options: SlurmOptions): OpenedBackend {
  const tunnels = new AgentTunnels();
  const clusters = new Map(
    options.clusters.map((config) => [config.name, new SlurmCluster(config, options)]),
  );
  const all = [...clusters.values()];
  const backend: Backend = {
    name: 'slurm',
    capabilities: capabilitiesOf('slurm'),
    offers: async (requirements) => {
      const answers = await Promise.all(
        all.map((cluster) => offersOf(cluster, requirements, options.matches)),
      );
      return {
        offers: answers.flatMap(({ offers }) => offers),
        notes: answers.flatMap(({ notes }) => notes),
        closed: answers.flatMap(({ closed = [] }) => closed),
      };
    },
    signalsCapacity: false,
    instances: slurmInstances(clusters, tunnels),
    volumes: null,
    groups: slurmGroups(clusters),
    claims: fileClaims(all),
    check: async () => (await Promise.all(all.map(checked))).flat(),
  };
  return { backend, close: () => tunnels.close() };
}

/** A cluster that does not answer leaves the offers of the others. */
async function offersOf(
  cluster: SlurmCluster,
  requirements: Requirements,
  matches: Matches,
): Promise<OfferAnswer> {
  const { map, config } = cluster;
  try {
    const [nodes, qos] = await Promise.all([cluster.nodes(), cluster.partitionQos()]);
    const input = {
      ...{ region: config.name, nodes, map, qos, requirements, matches },
      priceOf: (resources: Offer['instance']['resources']) => cluster.priceOf(resources),
    };
    return { offers: clusterOffers(input), notes: map.problems, closed: closedNodes(input) };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return { offers: [], notes: [error.message] };
  }
}

/** Each step that a job needs, without starting one. */
async function checked(cluster: SlurmCluster): Promise<readonly CheckResult[]> {
  const { config, map, login } = cluster;
  const attempt = async (name: string, step: () => Promise<unknown>): Promise<CheckResult> => {
    try {
      await step();
      return { name, ok: true, problem: null };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      const unanswered = error instanceof NoAnswerError;
      return { name, ok: false, problem: error.message, unanswered };
    }
  };
  const reached = await attempt(`${config.name}: login and controller`, () =>
    login.output(['scontrol', 'ping']),
  );
  if (!reached.ok) return [reached];
  const partitions = [...new Set([...map.gpus.keys(), ...(map.cpuPartitions ?? [])])];
  return [
    reached,
    await attempt(`${config.name}: GPU models`, async () => {
      if (map.problems.length > 0) throw new BackendError(map.problems.join('; '));
    }),
    await attempt(`${config.name}: containers`, () => cluster.containerTool()),
    ...(await Promise.all(
      partitions.map((partition) =>
        attempt(`${config.name}: partition ${partition}`, () =>
          login.output([
            'sbatch',
            '--test-only',
            `--partition=${partition}`,
            '--mem=1M',
            '--wrap=true',
          ]),
        ),
      ),
    )),
  ];
}
