import type { ResourcePassDeps } from '../../loops/passes.ts';
import type { TestServer } from './test-server.ts';

/** For passes of the loops over the store of a test server; timers are not armed. */
export function passDeps({ store, deps }: TestServer): ResourcePassDeps {
  return { store, context: deps.context, arm: () => {}, observer: null, log: deps.log };
}
