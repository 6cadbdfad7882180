import { errorMessage } from '@dstack/contract/error-message';
import { isRunFinished } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { nodesBeside } from '../../runs/node-output.ts';
import { isRunningNow } from '../../runs/run-status.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import type { NodeHosts } from '../../ssh/node-hosts.ts';
import type { FollowInput } from './follow-input.ts';

/**
 * Adds SSH aliases for the other nodes of the run once all of them run. Null if there are none or
 * `signal` is aborted first. A failure is a warning and does not affect the run.
 */
export async function openOtherNodes(
  run: Run,
  followed: Job,
  { connection, options }: FollowInput,
  signal: AbortSignal,
  cli: Cli,
): Promise<NodeHosts | null> {
  const name = run.run_spec.run_name ?? '';
  const others = (present: Run): Job[] =>
    nodesBeside(present, followed).filter(
      (node) => node.job_spec.job_num !== followed.job_spec.job_num,
    );
  if (others(run).length === 0) return null;
  const areUp = (present: Run): boolean =>
    isRunFinished(present.status) || others(present).every(isRunningNow);
  try {
    const { addNodeHosts } = await import('../../ssh/node-hosts.ts');
    const present = await watchUntil(connection, name, signal, areUp);
    const identity = options.flags.sshIdentity;
    const hosts = await addNodeHosts(present, others(present), { connection, identity }, cli);
    const { aliases } = hosts;
    if (aliases.length > 0 && !signal.aborted)
      cli.io.info(`Its other nodes: ${aliases.map((alias) => `\`ssh ${alias}\``).join(', ')}`);
    return hosts;
  } catch (error) {
    if (signal.aborted) return null;
    const what = errorMessage(error);
    cli.io.warn(
      `SSH aliases for the other nodes could not be added: ${what} (retry: dstack attach ${name})`,
    );
    return null;
  }
}
