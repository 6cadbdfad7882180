import type { Id } from '@dstack/core';

/** How a machine is logged into. */
export interface SshLogin {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** PEM or OpenSSH text without a passphrase. */
  readonly privateKey: string;
}

/** A host of an SSH fleet as the server reaches it; nothing of this is ever shown to clients. */
export interface SshHostRecord {
  /** The instance it is; also the key of its host record. */
  readonly instanceId: Id;
  readonly login: SshLogin;
  /** The machine in between, if there is one. */
  readonly proxy: SshLogin | null;
  readonly internalIp: string | null;
  /** Secret between the server and the agent there. */
  readonly agentToken: string;
  /** Host keys (base64) by `<hostname>:<port>`, pinned when they were first seen. */
  readonly hostKeys: Readonly<Record<string, string>>;
}

export type NewSshHost = Omit<SshHostRecord, 'hostKeys'>;

/** Keys and tokens are encrypted at rest. */
export interface SshHosts {
  /** Before the instances themselves are inserted, so that none is ever without its login. */
  add(hosts: readonly NewSshHost[]): Promise<void>;
  byId(instanceId: Id): Promise<SshHostRecord | null>;
  byIds(instanceIds: readonly Id[]): Promise<SshHostRecord[]>;
  /** Those that have an agent and have not left their fleet: what links are kept to. */
  deployedIds(): Promise<Id[]>;
  /** Remembers a host key; the first one stays. */
  pin(instanceId: Id, address: string, hostKey: string): Promise<void>;
  delete(instanceIds: readonly Id[]): Promise<void>;
}
