import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { isRunningNow } from '../runs/run-status.ts';
import { identityForRun } from './identity.ts';
import { hostAlias } from './route.ts';
import { addRoute, type RouteEntries } from './run-link.ts';

export interface NodeHosts {
  /** Aliases that `ssh` accepts now. */
  readonly aliases: readonly string[];
  close(): Promise<void>;
}

/** Adds SSH aliases for the nodes beside the attached one. ssh connects to them only on demand. */
export async function addNodeHosts(
  run: Run,
  nodes: readonly Job[],
  { connection, identity }: { connection: Connection; identity: string | null },
  cli: Cli,
): Promise<NodeHosts> {
  const placed = nodes.filter(isRunningNow);
  if (placed.length === 0) return { aliases: [], close: async () => {} };
  const key = identity ?? (await identityForRun(run.run_spec.ssh_key_pub, connection, cli));
  const added: RouteEntries[] = [];
  for (const node of placed) added.push(await addRoute(run, node, key, cli));
  return {
    aliases: placed.map((node) => hostAlias(run, node)),
    close: async () => {
      for (const entries of added) await entries.close();
    },
  };
}
