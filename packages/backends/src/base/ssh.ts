/** SSH connections that the server opens for adapters. */
import type { Duplex, Readable } from 'node:stream';

export interface RemoteLogin {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** In PEM or OpenSSH format. */
  readonly privateKey: string;
}

/** The stored identity of a host. */
export interface RemoteKeys {
  /** Host keys (base64) by `<hostname>:<port>`. */
  readonly hostKeys: Readonly<Record<string, string>>;
  /** A host key seen for the first time. */
  readonly pin: (address: string, hostKey: string) => Promise<void>;
  /** Advice for the error message if a host that was set up anew has another key. */
  readonly ifChanged: string;
}

export interface RemotePlace {
  readonly login: RemoteLogin;
  readonly keys: RemoteKeys;
}

export interface RemoteWay extends RemotePlace {
  /** The host that the connection leads through. */
  readonly jump: RemotePlace | null;
  /** False: not to loopback, link-local or multicast addresses, by which a user would reach the server's own computer. */
  readonly mayReachServer: boolean;
}

export interface SshOpener {
  /** Rejects with a text for people. */
  open(to: RemoteWay): Promise<RemoteConnection>;
}

export interface RemoteOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RemoteConnection {
  readonly isOpen: boolean;
  /** Runs a command with this input; a part of its output is kept. */
  exec(
    command: string,
    options: { readonly input: string | Readable; readonly timeoutMs: number },
  ): Promise<RemoteOutput>;
  /** Starts a command, whose end ends the streams. */
  start(command: string): Promise<RemoteChannel>;
  /** Opens a connection from the host to another address. */
  forward(to: string, port: number): Promise<Duplex>;
  close(): void;
}

export interface RemoteChannel extends Duplex {
  readonly stderr: Readable;
  close(): void;
}
