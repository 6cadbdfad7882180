import type { Amounts } from '../../model/index.ts';
import { LANGUAGE_DEFAULTS } from '../../offers/match.ts';
import { gpuResource, plus } from '../../quotas/amounts.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';

/**
 * The least amounts that the gang uses, wherever it is placed. Lower bounds that the language sets by default do not bind all
 * machines.
 */
export function leastAmounts({ nodes }: Pick<GangRequest, 'nodes'>): Amounts {
  return nodes.map(leastOfNode).reduce(plus, {});
}

function leastOfNode({ requirements: { resources }, needs }: NodeRequest): Amounts {
  const amounts: Record<string, number> = { instances: needs.multinode ? 1_000_000 : 1 };
  const cpus = resources.cpu.count.min ?? 0;
  if (cpus > LANGUAGE_DEFAULTS.cpu) amounts.cpu = cpus * 1000;
  const memory = resources.memory.min ?? 0;
  if (memory > LANGUAGE_DEFAULTS.memory) amounts.memory = Math.floor(memory * 1024);
  const gpus = resources.gpu?.count.min ?? 0;
  if (gpus === 0) return amounts;
  amounts.gpu = gpus;
  const names = resources.gpu?.name ?? [];
  const [only] = names;
  if (names.length === 1 && only !== undefined) amounts[gpuResource(only)] = gpus;
  return amounts;
}
