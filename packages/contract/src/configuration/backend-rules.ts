import { parseGpu } from '../grammar/gpu.ts';
import { Problem, quote } from '../grammar/problem.ts';
import type { BackendConfigWithCreds } from '../wire/backend-config.ts';
import type { BackendFileConfig } from './backend-files.ts';

/** A broken rule of a backend entry. `path`: the place within the entry. */
export interface BackendProblem {
  readonly path: readonly PropertyKey[];
  readonly problem: Problem;
}

/** Rules over several keys of a backend, both for the server's file and for the API. */
export function backendProblems(
  backend: BackendFileConfig | BackendConfigWithCreds,
): BackendProblem[] {
  switch (backend.type) {
    case 'gcp':
      return backend.subnetworks !== null && backend.vpc_name === null
        ? [broken(['subnetworks'], 'needs vpc_name beside it: the network of these subnetworks')]
        : [];
    case 'kubernetes':
      return backend.contexts === null
        ? []
        : (['proxy_jump', 'namespace'] as const)
            .filter((key) => backend[key] !== null)
            .map((key) =>
              broken([key], `can't be used together with contexts: set it for each context`),
            );
    case 'oci':
      if (backend.creds.type !== 'client') return [];
      return (backend.creds.key_file === null) === (backend.creds.key_content === null)
        ? [broken(['creds'], 'needs exactly one of key_file and key_content')]
        : [];
    case 'slurm':
      return backend.clusters.flatMap((cluster, index) =>
        (cluster.gpu_partitions ?? []).flatMap((partition, at) =>
          isPartitionGpu(partition.gpu)
            ? []
            : [
                broken(
                  ['clusters', index, 'gpu_partitions', at, 'gpu'],
                  `must be '[vendor:]name[:memory]' like 'H100' or 'nvidia:A100:80GB', got ${quote(partition.gpu)}`,
                ),
              ],
        ),
      );
    default:
      return [];
  }
}

/** A GPU of a Slurm partition is one kind: one name, and no count. */
function isPartitionGpu(text: string): boolean {
  const gpu = parseGpu(text);
  return !(gpu instanceof Problem) && gpu.name?.length === 1 && gpu.count === undefined;
}

function broken(path: readonly PropertyKey[], message: string): BackendProblem {
  return { path, problem: new Problem(message) };
}
