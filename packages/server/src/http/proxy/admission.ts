/** Who may use the services of a project: its members, and global admins. */
import type { Admit, AskedServer } from '@dstack/proxy';
import { WorkerAdmission } from '@dstack/proxy';
import type { SignInGuard } from '../../callers/sign-in-guard.ts';
import { Grants, type GrantsOptions } from './grants.ts';

export interface AdmissionDeps extends Omit<GrantsOptions, 'notify' | 'signIns'> {
  readonly signIns: Pick<SignInGuard, 'fromAddress' | 'addressOf'>;
}

/** The only process that asks. */
const OURS = ['server'];

/** Rejects with `ProxyRefusal` 403. A public project does not make its services public. */
export function admission(deps: AdmissionDeps): Admit {
  const grants = new Grants({
    ...deps,
    notify(type, data) {
      const { key } = data as { readonly key: string };
      if (type === 'stale') own.stale(key);
      if (type === 'revoked') own.revoke(key);
    },
  });
  const link: AskedServer = {
    isAway: false,
    ask: async (_type, ask) => (await grants.admit(ask as never, OURS)) as never,
    notify(_type, data) {
      grants.release((data as { readonly key: string }).key, 'server');
      return true;
    },
    onPresent: () => {},
  };
  const own = new WorkerAdmission({
    link,
    addressOf: (request) => deps.signIns.addressOf(request),
    maxAgeMs: () => 0,
    now: () => deps.now() / 1000,
  });
  return own.admit;
}
