import type { ClientConnection } from '../callers/callers.ts';
import { type AdmittedRequest, answerOf, begun, pathOf } from './admitted-request.ts';
import type { RequestParts } from './request-parts.ts';
import type { UpgradedRequest } from './requests.ts';
import { askUpgrade } from './upgrade.ts';
import { GOING_AWAY, type JoinedSocket, POLICY_VIOLATION } from './web-socket.ts';

export interface WebSocketsOptions extends RequestParts {
  /** Milliseconds without an answer after which an upgrade fails. */
  readonly timeoutMs: number;
}

/** The WebSockets of clients, from their requests until they are closed. */
export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #joined = new Map<ClientConnection, JoinedSocket>();
  #isClosed = false;

  constructor(options: WebSocketsOptions) {
    this.#options = options;
  }

  /** Throws `ProxyRefusal` before anything was answered; resolves when the connection is closed. */
  async upgrade(admitted: AdmittedRequest, upgraded: UpgradedRequest): Promise<void> {
    const { log } = this.#options;
    await log.record(begun(admitted, upgraded), () => this.#upgrade(admitted, upgraded));
  }

  /** Closes the connection of a client whose access was revoked, whether it is a WebSocket or not. */
  cutOff(client: ClientConnection): void {
    const joined = this.#joined.get(client);
    if (joined) joined.end(POLICY_VIOLATION);
    else client.destroy();
  }

  /** Closes all of them, because the process is about to end. */
  giveUp(): void {
    for (const joined of this.#joined.values()) joined.end(GOING_AWAY);
  }

  close(): void {
    this.#isClosed = true;
    for (const joined of this.#joined.values()) joined.destroy();
  }

  async #upgrade(admitted: AdmittedRequest, { request, socket, head, id }: UpgradedRequest) {
    const { replicas, delivery, rates, senders, timeoutMs } = this.#options;
    await rates.limit(admitted.route, admitted.target.rest, request);
    const order = {
      ...{ request, socket, head, path: pathOf(admitted) },
      headers: senders.headers(admitted, request, id),
      answer: answerOf(admitted, request),
      timeoutMs,
    };
    const { replica, value } = await delivery.deliver(
      admitted.route,
      { client: socket, request },
      {
        isRepeatable: true,
        isUnwanted: () => socket.destroyed,
        send: async (one) => {
          const sent = await askUpgrade(() => replicas.open(one), order);
          if (sent.kind === 'done') replicas.answered(one, sent.value.status);
          return sent;
        },
      },
    );
    const { joined, status } = value;
    // `close` ran before this connection was registered.
    if (this.#isClosed) joined.destroy();
    this.#joined.set(socket, joined);
    await joined.over;
    this.#joined.delete(socket);
    replicas.release(replica);
    return { status, jobId: replica.target.jobId };
  }
}
