import type { IncomingMessage } from 'node:http';
import { networkOf } from '../head/client-network.ts';
import { clientAddress, type Sender, type Trust } from '../head/forwarded.ts';
import { requestHeaders } from '../head/headers.ts';
import type { AdmittedRequest } from './admitted-request.ts';

type SentRequest = Pick<IncomingMessage, 'rawHeaders' | 'socket'>;

/** Who has sent a request, and the headers that its replica receives for it. */
export class RequestSenders {
  readonly #trust: Trust;

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /** The address of the client. */
  addressOf(request: SentRequest): string {
    return clientAddress(request.rawHeaders, this.#of(request));
  }

  /** The network of the client, for which limits and affinity count. */
  networkOf(request: SentRequest): string {
    return networkOf(this.addressOf(request));
  }

  headers(admitted: AdmittedRequest, request: SentRequest, requestId: string): string[] {
    return requestHeaders(request.rawHeaders, {
      requestId,
      sender: this.#of(request),
      prefix: admitted.route.stripPrefix ? admitted.target.prefix : null,
      user: admitted.caller?.name ?? null,
      ownValues: admitted.ownValues,
    });
  }

  #of({ socket }: SentRequest): Sender {
    const address = socket.remoteAddress ?? '';
    return { address, isEncrypted: 'encrypted' in socket, trust: this.#trust };
  }
}
