import type { ContainerAgents } from '../agent-downloads/agent-downloads.ts';
import { callerAddress } from '../callers/caller-address.ts';
import type { DialIns } from '../dial-ins/dial-ins.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import type { Parts } from './parts.ts';

/** Null: agents open no connections. Loaded only if it is configured. */
export async function openDialIns({ settings, store, closing }: Parts): Promise<DialIns | null> {
  const dialling = settings.backendKinds.flatMap(({ dialIn }) => dialIn ?? []);
  if (dialling.length === 0) return null;
  const { DialIns } = await import('../dial-ins/dial-ins.ts');
  const dialIns = new DialIns({
    kinds: await Promise.all(dialling.map((namesOf) => namesOf())),
    secret: () => agentSecret(store),
    addressOf: callerAddress(settings.trustedProxies),
  });
  closing.add(() => dialIns.close());
  return dialIns;
}

/** Null: agents open no connections, so no container needs to fetch one. */
export async function openDownloads(
  { store }: Pick<Parts, 'store'>,
  dialIns: DialIns | null,
  programs: Programs,
): Promise<ContainerAgents | null> {
  if (dialIns === null) return null;
  const { ContainerAgents } = await import('../agent-downloads/agent-downloads.ts');
  return new ContainerAgents({ programs, secret: () => agentSecret(store) });
}
