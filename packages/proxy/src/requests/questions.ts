import type { Dispatcher } from 'undici';
import request from 'undici/lib/api/api-request.js';
import { failureStatus } from '../counts/request-log.ts';
import { ConnectFailure } from '../replicas/upstream-failure.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { copyBody, type RequestMirror } from './mirror.ts';
import type { RequestParts } from './request-parts.ts';
import type { Question } from './requests.ts';

export interface QuestionsOptions extends Pick<RequestParts, 'replicas' | 'delivery' | 'log'> {
  readonly mirror: Pick<RequestMirror, 'copyOf'>;
}

/** Requests that the server itself makes for a client, such as those of a model's endpoint. */
export class Questions {
  readonly #options: QuestionsOptions;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** See `ServiceProxy.ask`. */
  async ask(route: ServiceRoute, question: Question): Promise<Dispatcher.ResponseData> {
    const { replicas, delivery, log, mirror } = this.#options;
    const { client, path, user, id } = question;
    const ended = log.begin({ route, request: client.req, path, user, id });
    const disconnected = new AbortController();
    const abort = () => disconnected.abort();
    client.once('close', abort);
    const headers = headersOf(route, question);
    const options = { path, method: 'POST', headers, signal: disconnected.signal } as const;
    const body = () => (typeof question.body === 'function' ? question.body() : question.body);
    try {
      const { value: answer, replica } = await delivery.deliver(
        route,
        { client, request: client.req },
        {
          isRepeatable: false,
          isPatient: question.isPatient ?? true,
          isUnwanted: () => client.destroyed,
          send: async (one) => {
            try {
              const value = await request.call(one.pool, { ...options, body: body() });
              replicas.answered(one, value.statusCode);
              return { kind: 'done', value };
            } catch (error) {
              const unsent = error instanceof ConnectFailure;
              return { kind: 'failed', error: error as Error, unsent };
            }
          },
        },
      );
      if (route.mirror !== null) {
        const raw = Object.entries(headers).flat();
        const copy = mirror.copyOf(route, { request: client.req, path, headers: raw });
        if (copy !== null) void copyBody(copy, question);
      }
      answer.body.once('close', () => {
        client.off('close', abort);
        const isCut = !answer.body.readableEnded && answer.body.errored !== null;
        if (isCut && !disconnected.signal.aborted) replicas.broke(replica);
        replicas.release(replica);
        ended(answer.statusCode, replica.target.jobId);
      });
      return answer;
    } catch (error) {
      ended(failureStatus(error), null);
      client.off('close', abort);
      throw error;
    }
  }
}

function headersOf({ auth }: ServiceRoute, { contentType, length, id, user }: Question) {
  return {
    'content-type': contentType ?? 'application/json',
    ...(length !== undefined && { 'content-length': String(length) }),
    'x-request-id': id,
    ...(auth && { 'x-dstack-user': user }),
  };
}
