import { inspectServerHost, type ServerHostFacts, serverHostFacts } from '@dstack/backends';
import type { HostFacts } from '@dstack/contract/agent';

export interface ReportedServerHostOptions {
  /** The facts that the machine's agent has reported, to this server or an earlier one. */
  readonly facts: () => Promise<HostFacts | null>;
  /** Resolves when the agent has reported, or the wait is over. */
  readonly reported: Promise<unknown>;
}

/**
 * The server's machine as its agent describes it. In the first second after its start the server
 * has no connection to the agent yet, and without waiting there would be no GPUs.
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
