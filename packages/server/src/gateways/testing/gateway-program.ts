import { type Duplex, duplexPair } from 'node:stream';
import type { GatewayCommand } from '@dstack/contract/agent';
import type { AgentClient } from '../../hosts/agent-client.ts';

/** A program of a gateway that sends what a test wants, over links that a server opens. */
export class GatewayProgram {
  /** Everything that the server has sent. */
  readonly received: GatewayCommand[] = [];
  /** Ends of connections that the server has opened for a `tunnel`. */
  readonly tunnels: Duplex[] = [];
  links = 0;
  #control: Duplex | null = null;
  readonly #waiting = new Set<() => void>();

  /** A stand-in for the agent of the gateway's host, through which the server opens its links. */
  get agent(): AgentClient {
    const agent: Pick<AgentClient, 'putGateway' | 'openGateway'> = {
      putGateway: async () => {},
      openGateway: async () => this.#open() as never,
    };
    return agent as AgentClient;
  }

  get isLinked(): boolean {
    return this.#control?.destroyed === false;
  }

  send(...messages: readonly (object | string)[]): void {
    for (const message of messages) {
      const line = typeof message === 'string' ? message : JSON.stringify(message);
      this.#control?.write(`${line}\n`);
    }
  }

  /** The first message that the server has sent, or will send, and that is like this. */
  async receives(part: Readonly<Record<string, unknown>>): Promise<GatewayCommand> {
    return await this.#until(() =>
      this.received.find((one) =>
        Object.entries(part).every(([key, value]) => Reflect.get(one, key) === value),
      ),
    );
  }

  async ended(): Promise<void> {
    await this.#until(() => !this.isLinked || undefined);
  }

  async linked(times: number): Promise<void> {
    await this.#until(() => (this.links >= times && this.isLinked) || undefined);
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #open(): Duplex {
    const [server, program] = duplexPair();
    let text = '';
    let kind: string | null = null;
    program.on('data', (piece: Buffer) => {
      text += piece.toString();
      for (let end = text.indexOf('\n'); end >= 0 && kind !== 'tunnel'; end = text.indexOf('\n')) {
        const message = JSON.parse(text.slice(0, end));
        text = text.slice(end + 1);
        if (kind === 'control') this.received.push(message);
        else {
          kind = message.type as string;
          this.#opened(program, kind);
        }
      }
      this.#changed();
    });
    server.on('close', () => {
      program.destroy();
      this.#changed();
    });
    program.on('close', () => this.#changed());
    program.on('error', () => {});
    return server;
  }

  #opened(connection: Duplex, kind: string): void {
    if (kind === 'tunnel') {
      this.tunnels.push(connection);
      return;
    }
    this.#control = connection;
    this.links += 1;
  }
}
