import { duplexPair } from 'node:stream';
import { LineChannel } from '../link/line-channel.ts';
import { ServerLink } from '../link/server-link.ts';
import type { Handlers } from '../link/worker-channel.ts';

export { hasLua } from '../nginx/testing/lua-nginx.ts';
export {
  type ModelWorld,
  modelConformance,
  type OpenModelWorld,
  TGI_TEMPLATE,
} from './model-conformance.ts';
export { type SmugglingFront, smugglingConformance } from './smuggling-conformance.ts';
export { CHOSEN, TOKEN_CASES, type TokenCase } from './token-cases.ts';
export {
  type OpenWebSocketWorld,
  type WebSocketWorld,
  webSocketConformance,
} from './web-socket-conformance.ts';

/** A worker's link, and a server at its other end that answers by these handlers. */
export function linked(handlers: Handlers) {
  const link = new ServerLink();
  const connect = () => {
    const [here, there] = duplexPair();
    const server = new LineChannel(there, handlers);
    link.use(new LineChannel(here, {}));
    return server;
  };
  return { link, connect };
}

/** Ends the connection; resolves when the worker has noticed. */
export async function away(link: ServerLink, server: LineChannel): Promise<void> {
  server.close();
  while (!link.isAway) await new Promise((resolve) => setImmediate(resolve));
}
export { isBetter } from '../policy/choice.ts';
export {
  afterEjection,
  type Ejections,
  ejectedAgain,
  ejectionOf,
  NO_EJECTIONS,
} from '../policy/outliers.ts';
export { avoidedMs } from '../policy/refusals.ts';
export {
  afterAnswer,
  afterStart,
  isServerError,
  NEW_RECORD,
  type ReplicaRecord,
} from '../policy/replica-record.ts';
