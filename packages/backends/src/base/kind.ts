/**
 * A kind of backend that projects configure. The server reads only its descriptor, which is beside the
 * adapter and has a line in `kinds.ts`; the code of the adapter is loaded when it is used first.
 */
import type { Duplex } from 'node:stream';
import type { ProcessEnv } from '@dstack/contract';
import type { BackendConfigWithCreds, BackendType } from '@dstack/contract/wire';
import type { Catalog } from '../catalog/catalog.ts';
import type { Backend } from './port.ts';
import type { AgentPrograms } from './programs.ts';
import type { SshOpener } from './ssh.ts';

export interface BackendKind {
  readonly type: BackendType;
  /** Names of the server's own settings for it. */
  readonly variables: readonly string[];
  /**
   * Describes what is wrong with the form of a configuration, for people; null = nothing. It does not call
   * the provider.
   */
  readonly problem?: (config: BackendConfigWithCreds, allowed: AllowedConfig) => string | null;
  /** Reads the settings. Throws `SettingsError`. */
  readonly configure: (env: ProcessEnv, server: ServerReach) => ConfiguredKind;
}

export interface AllowedConfig {
  /** Whether the configuration may name files and programs of the server's machine. */
  readonly serverFiles: boolean;
}

export interface ServerReach {
  /** Where others reach the server; null = it is not known. */
  readonly url: string | null;
}

export interface ConfiguredKind {
  readonly type: BackendType;
  /** Names of its instances whose agents connect to the server; omitted = none does. */
  readonly dialIn?: () => Promise<DialInNames>;
  /** Called once, at the first use. */
  readonly load: (host: BackendHost) => Promise<BackendOpener>;
}

/** Who has written a configuration. */
export interface ConfigOrigin {
  /** The operator of the server (`config.yml`, a global admin): it may name the server's own computer. */
  readonly isOperators: boolean;
}

/** Opens the backends of one kind, and holds what they share. */
export interface BackendOpener {
  /**
   * `config`: with its credentials. `secret`: the agents' tokens are derived from it. Rejects for a
   * configuration that cannot be used.
   */
  open(config: unknown, secret: string, origin: ConfigOrigin): Promise<OpenedBackend>;
  /** Releases what the opened backends share. */
  close?(): void;
}

export interface OpenedBackend {
  readonly backend: Backend;
  /** Ends connections; jobs continue. */
  close(): void;
}

/**
 * Whether an instance of a kind can have this name. A connection is used only while the instance exists. Names of
 * different kinds differ, as the name alone decides about the token (`agentToken`).
 */
export type DialInNames = (instance: string) => boolean;

/** The services that the server provides to adapters. */
export interface BackendHost {
  /** Id of the installation: servers that share a database have the same. */
  readonly serverId: string;
  readonly programs: AgentPrograms;
  readonly ssh: SshOpener;
  /** Small facts that outlive the server, by key. */
  readonly facts: KeptFacts;
  /** Null, or omitted: no other server shares the accounts. */
  readonly sharedFacts?: SharedFacts | null;
  /** Null: agents open no connections to the server. */
  readonly dialIns: AgentDialIns | null;
  /** Null, or omitted: the server offers no downloads. */
  readonly downloads?: AgentDownloads | null;
  /** Price lists of providers. They change while the server runs. */
  readonly catalog: Catalog;
  /** Where its prices are from, for plans; null, or omitted: there is nothing to add. */
  readonly catalogNote?: () => string | null;
  /**
   * How long machines live without a server, in seconds, where they can end themselves; null, or omitted: until a
   * server ends them.
   */
  readonly leaseSeconds?: number | null;
}

export interface KeptFacts {
  get(key: string): Promise<string | null>;
  /** Returns the stored value, which is an earlier one if there is one. */
  setOnce(key: string, value: string): Promise<string>;
  set(key: string, value: string): Promise<void>;
}

/** Facts that several servers change together. */
export interface SharedFacts {
  /** `change` gets the stored value (null = none) and the time of the database in µs. */
  amend<T>(
    key: string,
    change: (value: string | null, now: number) => { readonly value: string; readonly result: T },
  ): Promise<T>;
}

/** The agent as one file that the server offers to containers. */
export interface AgentDownloads {
  /** Rejects if it is not there for this architecture. */
  agent(arch: 'x64' | 'arm64'): Promise<AgentDownload>;
}

/**
 * The file begins with lines of text: how many files follow, then for each of them where it begins, its bytes and
 * its path (`node`, `lib/…`, `agent/…`), separated by spaces.
 */
export interface AgentDownload {
  /** On the server; with `.gz` at its end, the same compressed. A part of it is secret. */
  readonly path: string;
  /** The hash of the uncompressed file, hexadecimal. */
  readonly sha256: string;
}

export interface AgentDialIns {
  /** The connection of an agent, secured; null = none within the time. */
  take(instance: string, limitMs: number): Promise<Duplex | null>;
  /** Calls `onWaiting` with each instance whose agent has connected before it was asked for; returns what ends that. */
  watch(onWaiting: (instance: string) => void): () => void;
}
