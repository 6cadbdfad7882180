import { decisionContext } from '../../assembly/decision-context.ts';
import { LogQuota } from '../../loops/log-quota.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import type { WorkDeps } from '../../loops/work/descriptor.ts';
import { compileSettings } from '../../settings/settings.ts';
import { NO_HINTS } from './offers.ts';
import type { TestServer } from './test-server.ts';

/** For passes of the loops over the store of a test server; without timers and effects. */
export function passDeps({ store, deps }: TestServer): WorkDeps {
  const ours = decisionContext(compileSettings({ HOME: '/nowhere' }), store.cipher);
  return {
    store,
    offers: { ...deps.offers, hints: async () => NO_HINTS },
    context: () => ({ ...ours(), ...deps.context() }),
    arm: () => {},
    wake: () => {},
    wakeForNewWork: () => {},
    examined: () => 'all',
    changes: new RunChanges(),
    quota: new LogQuota(store, deps.log),
    effect: async () => ({ ending: 'done' }),
    effectIsOurs: async () => true,
    measureTime: async () => {},
    backends: { find: async () => null },
    links: { follow: async () => {} },
    hosts: { isElsewhere: async () => false },
    observer: null,
    log: deps.log,
  };
}
