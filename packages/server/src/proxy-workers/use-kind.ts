import { withSums } from '@dstack/contract/usage';
import type { SpoolKind } from '@dstack/proxy';
import type { ModelUse } from '@dstack/store';

const COUNTED = [
  ...(['requests', 'aborted', 'estimated'] as const),
  ...(['promptTokens', 'completionTokens'] as const),
];

/** Uses of one model on one day by one user, with the same token. */
export const MODEL_USES: SpoolKind<ModelUse> = {
  keyOf: ({ projectId, userId, tokenId, model, day }) =>
    JSON.stringify([projectId, userId, tokenId, model, day]),
  sum: (one, other) => withSums<ModelUse, ModelUse>(one, other, COUNTED),
};
