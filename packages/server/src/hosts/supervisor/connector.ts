import type { HostAccessRecord } from '@dstack/store';
import type { AgentClient, Dial } from '../agent-client.ts';

/** One host as the supervisor reaches it: its connection, and its agent at the other end. */
export interface HostConnection {
  readonly client: AgentClient;
  readonly dial: Dial;
  readonly token: string;
  /**
   * Makes the agent answer: connects, and installs, upgrades or starts the agent if that is needed.
   * Rejects with a `HostError`.
   */
  prepare(report: (stage: string) => void): Promise<void>;
  /**
   * Removes the agent from the host. `briefly`: the host failed last, and is waited for a few
   * seconds only. Rejects with a `HostError`.
   */
  remove(options: { readonly briefly: boolean }): Promise<void>;
  close(): void;
}

/** Opens connections of one kind of access. `env`: environment of jobs there, from the fleet. */
export type Connector = (
  record: HostAccessRecord,
  env: Readonly<Record<string, string>>,
) => HostConnection;

export type Connectors = Readonly<Record<HostAccessRecord['access']['kind'], Connector>>;
