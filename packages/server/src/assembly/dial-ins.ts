import type { DialIns } from '../dial-ins/dial-ins.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import { callerAddress } from '../http/caller-address.ts';
import { slurmAgents } from '../slurm/slurm-agents.ts';
import type { Parts } from './parts.ts';

/** Null: agents open no connections. Loaded only if it is configured. */
export async function openDialIns({ settings, store, closing }: Parts): Promise<DialIns | null> {
  if (settings.slurm.dialOutUrl === null) return null;
  const { DialIns } = await import('../dial-ins/dial-ins.ts');
  const dialIns = new DialIns({
    kinds: [slurmAgents(() => agentSecret(store))],
    addressOf: callerAddress(settings.trustedProxies),
  });
  closing.add(() => dialIns.close());
  return dialIns;
}
