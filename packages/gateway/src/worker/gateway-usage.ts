import type { GatewayModelUse } from '@dstack/contract/agent';
import { keepUses, type MeteredUse, type UseStore } from '@dstack/proxy';

export interface GatewayUsageOptions {
  readonly dir: string;
  /** Resolves once the server has stored the uses in these files, or cannot. `tokens`: that have been used. */
  readonly deliver: (files: readonly string[], tokens: readonly string[]) => Promise<unknown>;
}

/** Keeps what models have used, which the main process delivers. A gateway knows users and projects by name. */
export class GatewayUsage implements UseStore {
  readonly #options: GatewayUsageOptions;

  constructor(options: GatewayUsageOptions) {
    this.#options = options;
  }

  async add(uses: readonly MeteredUse[]): Promise<void> {
    const { dir, deliver } = this.#options;
    const files = await keepUses(dir, uses.map(sentUse));
    // The next request of a token must find what its budget has left.
    const tokens = new Set(uses.flatMap(({ tokenId }) => tokenId ?? []));
    if (tokens.size > 0) await deliver(files, [...tokens]);
  }
}

function sentUse({ projectId, userId, tokenId, ...use }: MeteredUse): GatewayModelUse {
  const { model, day, requests, aborted, estimated, promptTokens, completionTokens } = use;
  return {
    ...{ project: projectId, user: userId, token: tokenId },
    ...{ model, day, requests, aborted, estimated },
    ...{ prompt_tokens: promptTokens, completion_tokens: completionTokens },
  };
}
