import { inspectMachine, type MachineFacts, machineOf } from '@dstack/backends';
import type { HostFacts } from '@dstack/contract/agent';

export interface OwnMachineOptions {
  /** What the machine's agent has told of it, now or in an earlier life of the server. */
  readonly facts: () => Promise<HostFacts | null>;
  /** Resolves when the agent has told it, or is not to be waited for any longer. */
  readonly told: Promise<unknown>;
}

/**
 * The server's own machine as its agent knows it. In the first second of a server's life the agent
 * is still on its way: without waiting for it, there would be no GPUs yet.
 */
export function ownMachine({ facts, told }: OwnMachineOptions): () => Promise<MachineFacts> {
  return async () => {
    const known = machineOf(await facts());
    if (known) return known;
    await told;
    return machineOf(await facts()) ?? inspectMachine();
  };
}
