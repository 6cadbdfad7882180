import type { GatewayCommand, GatewayFrame } from '@dstack/contract/agent';
import type { TunnelEnd } from './link-server.ts';
import type { TunnelTaker } from './tunnel-relay.ts';

type Wanted = Extract<GatewayFrame, { type: 'tunnel' }>;
type Refused = Extract<GatewayCommand, { type: 'no-tunnel' }>;

const AWAY = 'its host is reached through the dstack server, which is away';

/** Connections to replicas that the server is to open. */
export class WantedTunnels {
  readonly #send: (frame: Wanted) => boolean;
  readonly #takers = new Map<string, TunnelTaker>();

  /** `send` returns whether there is a server. */
  constructor(send: (frame: Wanted) => boolean) {
    this.#send = send;
  }

  want(taker: TunnelTaker, frame: Wanted): void {
    const { id } = frame;
    if (this.#send(frame)) this.#takers.set(id, taker);
    else taker.send({ type: 'no-tunnel', id, error: AWAY });
  }

  opened(id: string, end: TunnelEnd): void {
    const taker = this.#takers.get(id);
    this.#takers.delete(id);
    if (taker) taker.passTunnel(id, end);
    else end.socket.destroy();
  }

  refused(refusal: Refused): void {
    this.#takers.get(refusal.id)?.send(refusal);
    this.#takers.delete(refusal.id);
  }

  disconnected(): void {
    for (const [id, taker] of this.#takers) taker.send({ type: 'no-tunnel', id, error: AWAY });
    this.#takers.clear();
  }
}
