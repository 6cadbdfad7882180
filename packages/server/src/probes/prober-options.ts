import type { Id, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';

export interface ProberOptions {
  readonly store: Pick<Store, 'jobs' | 'secrets'>;
  readonly client: (hostId: string) => Pick<AgentClient, 'openPort'> | null;
  /** Microseconds. */
  readonly now: () => Timestamp;
  readonly newId: () => Id;
  readonly log: Logger;
}
