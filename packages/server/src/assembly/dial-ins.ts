import type { DialIns } from '../dial-ins/dial-ins.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import { callerAddress } from '../http/caller-address.ts';
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
