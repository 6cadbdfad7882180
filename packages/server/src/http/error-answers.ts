/** Errors as answers. */
import { ApiError, errorBody, notFound, ruleError } from '@dstack/contract/api';
import { ProxyRefusal, RefusedBody, refusalBody, UnprocessableError } from '@dstack/proxy';
import { DatabaseAwayError, StoreError } from '@dstack/store';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { TooManySignIns } from '../callers/sign-in-guard.ts';
import { isDiskFull } from '../process/disk-trouble.ts';
import { OutOfFiles } from '../process/open-files.ts';

/** The only place where errors become responses. */
export function answerError(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof ApiError) {
    if (error.status === 401) reply.header('www-authenticate', 'Bearer');
    return sendJson(reply, error.status, errorBody(error));
  }
  if (error instanceof DatabaseAwayError) {
    request.log.error({ err: error }, 'request failed: the database does not answer');
    return answerError(databaseAway(), request, reply);
  }
  if (error instanceof ProxyRefusal) {
    if (error.retryAfter !== null) reply.header('retry-after', error.retryAfter);
    return sendJson(reply, error.status, refusalBody(error, request.originalUrl));
  }
  if (error instanceof RefusedBody) return refuseBody(error, reply);
  if (error instanceof TooManySignIns) {
    reply.header('retry-after', error.retryAfterSeconds);
    return sendJson(reply, 429, { detail: error.message });
  }
  if (error instanceof OutOfFiles) {
    reply.header('retry-after', error.retryAfterSeconds);
    return sendJson(reply, 503, { detail: error.message });
  }
  if (error instanceof UnprocessableError) return sendJson(reply, 422, { detail: error.detail });
  // The project existed when the request was authorised.
  if (error instanceof StoreError && error.code === 'store_project_deleted') {
    return sendJson(reply, 404, errorBody(notFound()));
  }
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
  // Fastify's own refusals, for example of a malformed request.
  if (status >= 400 && status < 500) return sendJson(reply, status, { detail: error.message });
  request.log.error({ err: error }, 'request failed');
  if (isDiskFull(error)) return sendJson(reply, 400, errorBody(diskFull()));
  return reply
    .code(500)
    .header('content-type', 'text/plain; charset=utf-8')
    .send('Internal Server Error');
}

function refuseBody(error: RefusedBody, reply: FastifyReply): FastifyReply {
  const { refusal } = error;
  if (refusal.kind === 'no-memory') reply.header('retry-after', refusal.retryAfterSeconds);
  if (refusal.kind === 'too-slow') reply.header('connection', 'close');
  return sendJson(reply, error.statusCode, { detail: error.message });
}

/** The reason is for the operator: it may name hosts and users of the database. */
export function databaseAway(): ProxyRefusal {
  return new ProxyRefusal(
    503,
    'The database of this server does not answer; the log of the server has the reason. What was requested may have been done: look before you try again.',
    { code: 'database_unreachable', retryAfter: 5 },
  );
}

/** All clients show the text of this form. The operator must act, not the caller. */
function diskFull(): ApiError {
  return ruleError(
    'The disk of the server is full: nothing was changed. Free some space on it and try again.',
  );
}

/**
 * Responds to requests without a route, as dstack 0.22.5 does with its web UI, whose static files
 * handle every unknown path: 404 for GET and HEAD, 405 for other methods.
 */
export function answerUnknown(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (request.method === 'GET' || request.method === 'HEAD') {
    return sendJson(reply, 404, { detail: 'Not Found' });
  }
  reply.header('allow', 'GET, HEAD');
  return sendJson(reply, 405, { detail: 'Method Not Allowed' });
}

export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return sendJsonText(reply, status, JSON.stringify(body));
}

/** Sent as bytes, so that no charset is added to the content type. */
export function sendJsonText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(Buffer.from(text));
}
