import { isServerError } from '../../policy/replica-record.ts';
import { type AdmittedRequest, begun, pathOf } from '../admitted-request.ts';
import type { RequestParts } from '../request-parts.ts';
import type { CalledRequest } from '../requests.ts';
import { sendCall } from './call.ts';
import { CallBody } from './call-body.ts';

/** Calls of gRPC. */
export class GrpcCalls {
  readonly #parts: RequestParts;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Throws `ProxyRefusal` before anything was answered. */
  async call(admitted: AdmittedRequest, { request, stream, id }: CalledRequest): Promise<void> {
    const { replicas, delivery, rates, senders, log } = this.#parts;
    const { route, target } = admitted;
    await log.record(begun(admitted, { request, id }), async () => {
      await rates.limit(route, target.rest, request);
      const headers = senders.headers(admitted, request, id);
      const authority = request.headers.host ?? '';
      const body = new CallBody(stream);
      const call = { client: stream, body, path: pathOf(admitted), authority, headers, id };
      const { replica, value } = await delivery.deliver(
        route,
        { client: stream, request },
        {
          isRepeatable: false,
          isUnwanted: () => stream.destroyed,
          send: async (one) => {
            const onAnswer = (status: number) => replicas.answered(one, status);
            const sent = await sendCall(one, { ...call, onAnswer });
            // A call that begins well may still fail, because its status follows its messages.
            if (sent.kind === 'done' && isServerError(sent.value)) replicas.broke(one);
            return sent;
          },
        },
      );
      replicas.release(replica);
      return { status: value, jobId: replica.target.jobId };
    });
  }
}
