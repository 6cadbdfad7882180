import type { Id } from '@dstack/core';

/** The SSH login of a machine. */
export interface SshLogin {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** PEM or OpenSSH text without a passphrase. */
  readonly privateKey: string;
}

/** A machine that a provider has made for the instance: it still boots when it is connected to first. */
export interface OrderedVm {
  /** The host key that it was given, in base64; null = the first one that is seen. */
  readonly hostKey: string | null;
}

/** How the server reaches the agent of an instance. */
export type HostAccess =
  | {
      readonly kind: 'ssh';
      readonly login: SshLogin;
      /** The jump host, if there is one. */
      readonly proxy: SshLogin | null;
      readonly internalIp: string | null;
      /** Omitted: a host that a person has set up before. */
      readonly vm?: OrderedVm;
    }
  /** By the API of its backend. */
  | { readonly kind: 'backend' }
  /** A unix socket of the server host. */
  | { readonly kind: 'socket'; readonly path: string };

/** These records are never shown to clients. */
export interface HostAccessRecord {
  /** Also the key of the host record. */
  readonly instanceId: Id;
  readonly access: HostAccess;
  /** Secret shared by the server and the agent. */
  readonly agentToken: string;
  /** Host keys (base64) by `<hostname>:<port>`, pinned when they were first seen. */
  readonly hostKeys: Readonly<Record<string, string>>;
}

export type NewHostAccess = Omit<HostAccessRecord, 'hostKeys'>;

/** Keys and tokens are encrypted at rest. */
export interface HostAccesses {
  /**
   * Access to SSH hosts is added before their instances are inserted, so that none is ever without
   * its login. An existing record stays as it is.
   */
  add(hosts: readonly NewHostAccess[]): Promise<void>;
  byId(instanceId: Id): Promise<HostAccessRecord | null>;
  byIds(instanceIds: readonly Id[]): Promise<HostAccessRecord[]>;
  /** Instances that exist at their backend and are not ending: the server keeps a link to each. */
  linkableIds(): Promise<Id[]>;
  /** Stores a host key; the first one stays. */
  pin(instanceId: Id, address: string, hostKey: string): Promise<void>;
  delete(instanceIds: readonly Id[]): Promise<void>;
}
