import { createHash } from 'node:crypto';
import { checkHostKey, type HostKeys, SshConnection } from './connection.ts';
import type { HostCredentials } from './host-credentials.ts';
import type { JumpTunnel } from './jump-tunnel.ts';

interface Shared {
  readonly connection: Promise<SshConnection>;
  users: number;
}

/**
 * Connections to jump hosts: one for all hosts behind the same login, open while one of them needs
 * it. A jump host's sshd counts connections (`MaxStartups`), but not what is forwarded.
 */
export class JumpHosts {
  readonly #shared = new Map<string, Shared>();
  readonly #answerMs: number | undefined;

  /** `answerMs`: how long a host behind a jump host may take to answer. */
  constructor({ answerMs }: { readonly answerMs?: number } = {}) {
    this.#answerMs = answerMs;
  }

  /** Rejects with a `HostError`, which names the jump host or the host behind it. */
  async openTunnel(
    jump: HostCredentials,
    keys: HostKeys,
    to: HostCredentials,
  ): Promise<JumpTunnel> {
    const { connection, release } = await this.#use(jump, keys);
    try {
      return { stream: await connection.through(to, this.#answerMs), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #use(jump: HostCredentials, keys: HostKeys) {
    const name = nameOf(jump);
    await this.#dropBroken(name);
    const shared = this.#shared.get(name) ?? this.#open(name, jump, keys);
    shared.users += 1;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      shared.users -= 1;
      if (shared.users > 0) return;
      if (this.#shared.get(name) === shared) this.#shared.delete(name);
      shared.connection.then((connection) => connection.close()).catch(() => {});
    };
    try {
      const connection = await shared.connection;
      // Each host has its own stored identity of the jump host.
      await checkHostKey(jump, keys, connection.hostKey);
      return { connection, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Stops sharing a broken connection; its users get the errors themselves. */
  async #dropBroken(name: string): Promise<void> {
    const shared = this.#shared.get(name);
    const connection = await shared?.connection.catch(() => null);
    // Another call may have opened one meanwhile.
    if (!connection?.isOpen && this.#shared.get(name) === shared) this.#shared.delete(name);
  }

  #open(name: string, login: HostCredentials, keys: HostKeys): Shared {
    const shared = { connection: SshConnection.open({ login, ...keys }), users: 0 };
    shared.connection.catch(() => {});
    this.#shared.set(name, shared);
    return shared;
  }
}

function nameOf({ user, hostname, port, privateKey }: HostCredentials): string {
  const key = createHash('sha256').update(privateKey).digest('hex');
  return `${user}@${hostname}:${port} ${key}`;
}
