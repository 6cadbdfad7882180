import { inspectServerHost, type ServerHostFacts, serverHostFacts } from '@dstack/backends';
import type { HostFacts } from '@dstack/contract/agent';

export interface ReportedServerHostOptions {
  /** What the machine's agent has told of it, now or in an earlier life of the server. */
  readonly facts: () => Promise<HostFacts | null>;
  /** Resolves when the agent has told it, or is not to be waited for any longer. */
  readonly reported: Promise<unknown>;
}

/**
 * The server's own machine as its agent knows it. In the first second of a server's life the agent
 * is still on its way: without waiting for it, there would be no GPUs yet.
 */
export function reportedServerHost({
  facts,
  reported,
}: ReportedServerHostOptions): () => Promise<ServerHostFacts> {
  return async () => {
    const known = serverHostFacts(await facts());
    if (known) return known;
    await reported;
    return serverHostFacts(await facts()) ?? inspectServerHost();
  };
}
