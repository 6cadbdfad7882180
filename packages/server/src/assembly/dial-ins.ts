import { agentSecret } from '../hosts/agent-secret.ts';
import type { DialIns } from '../slurm/dial-ins.ts';
import type { Parts } from './parts.ts';

/** Null: agents open no connections. Loaded only if it is configured. */
export async function openDialIns({ settings, store, closing }: Parts): Promise<DialIns | null> {
  if (settings.slurm.dialOutUrl === null) return null;
  const { DialIns } = await import('../slurm/dial-ins.ts');
  const dialIns = new DialIns({ secret: () => agentSecret(store) });
  closing.add(() => dialIns.close());
  return dialIns;
}
