import type { GatewayModelUse } from '@dstack/contract/agent';
import { usageSum } from '@dstack/contract/usage';
import type { SpoolKind } from '@dstack/proxy';

/** Uses of one model on one day by one user, with one credential. */
export const GATEWAY_USES: SpoolKind<GatewayModelUse> = {
  keyOf: ({ project, user, token = null, model, day }) =>
    JSON.stringify([project, user, token, model, day]),
  sum: (one, other) => usageSum(one, other),
};
