import { failureText, type UpstreamFailure } from '../replicas/upstream-failure.ts';
import { isOpenAiPath, openAiErrorType } from './openai-error.ts';

/**
 * A request that the proxy refuses or cannot deliver. `message` is for users, `code` for programs.
 */
export class ProxyRefusal extends Error {
  override name = 'ProxyRefusal';
  readonly status: number;
  /** Null if the status is enough. */
  readonly code: string | null;
  /** Seconds after which another attempt may succeed. */
  readonly retryAfter: number | null;
  /** The caller has not proved that they may use the service. */
  readonly needsSignIn: boolean;

  constructor(
    status: number,
    detail: string,
    options: ErrorOptions & {
      readonly retryAfter?: number;
      readonly code?: string;
      readonly needsSignIn?: boolean;
    } = {},
  ) {
    super(detail, options);
    this.status = status;
    this.code = options.code ?? null;
    this.retryAfter = options.retryAfter ?? null;
    this.needsSignIn = options.needsSignIn ?? false;
  }
}

/** `detail` as in dstack 0.22.5, and `code`. `path`: of the request; below `/v1` with OpenAI's `error` too. */
export function refusalBody({ status, message, code }: ProxyRefusal, path = '') {
  const error = { message, type: openAiErrorType(status), param: null, code };
  return {
    detail: message,
    ...(code !== null && { code }),
    ...(isOpenAiPath(path) && { error }),
  };
}

export interface ServiceName {
  readonly projectName: string;
  readonly runName: string;
}

export const serviceNotFound = ({ projectName, runName }: ServiceName, cause?: unknown) =>
  new ProxyRefusal(404, `Service ${projectName}/${runName} not found`, {
    cause,
    needsSignIn: cause !== undefined,
  });

/** `host`: a host name under the domain of services. */
export const hostNotFound = (host: string) =>
  new ProxyRefusal(404, `No service has the host name ${host}`);

export const notAdmitted = (project: string, cause?: unknown) =>
  new ProxyRefusal(403, `Unauthenticated or unauthorized to access project ${project}`, {
    cause,
    needsSignIn: true,
  });

/** `allowed`: the services that the caller's token is limited to. */
export const otherService = ({ runName }: ServiceName, allowed: readonly string[]) =>
  new ProxyRefusal(
    403,
    `This token may not be used for the service ${runName}, only for: ${allowed.join(', ')}`,
    { code: 'service_not_allowed' },
  );

export const pathNotAllowed = () => new ProxyRefusal(403, 'Path is not allowed for this service');

export const severalHosts = () =>
  new ProxyRefusal(400, 'The request has more than one `Host` header', { code: 'invalid_request' });

export const upgradeNotSupported = () =>
  new ProxyRefusal(400, 'Upgrading connections is not supported');

export const bodyTooLarge = (limit: number) =>
  new ProxyRefusal(413, `The body of the request has more than ${limit} bytes`, {
    code: 'body_too_large',
  });

/** Why a service has no replica that accepts requests. */
export interface Unavailable {
  /** For programs. */
  readonly cause: string;
  readonly text: string;
  /** With details that only members of the project may see; null = there are none. */
  readonly memberText: string | null;
  /** Seconds after which another attempt may succeed. */
  readonly retryAfter: number;
}

/** `forMembers`: whether to include details that only members of the project may see. */
export function unavailable(
  { projectName, runName }: ServiceName,
  { cause, text, memberText, retryAfter }: Unavailable,
  forMembers: boolean,
): ProxyRefusal {
  const shown = (forMembers ? memberText : null) ?? text;
  return new ProxyRefusal(503, `Service ${projectName}/${runName} is not available: ${shown}`, {
    ...{ code: cause, retryAfter },
  });
}

/** Seconds: most apps take longer to start. */
const FIRST_REPLICA_SECONDS = 5;

export function tooManyWaiting(
  { projectName, runName }: ServiceName,
  waiting: number,
): ProxyRefusal {
  const others = waiting === 1 ? '1 request already waits' : `${waiting} requests already wait`;
  const text = `Service ${projectName}/${runName} is not available: ${others} for its first replica`;
  return new ProxyRefusal(503, text, {
    code: 'too_many_waiting',
    retryAfter: FIRST_REPLICA_SECONDS,
  });
}

export function noAnswer(
  { projectName, runName }: ServiceName,
  why: UpstreamFailure,
  cause: Error,
): ProxyRefusal {
  if (why.cause === 'timed_out') {
    return new ProxyRefusal(504, 'Timed out requesting upstream', { cause });
  }
  const text = `Service ${projectName}/${runName} does not answer: ${failureText(why)}`;
  return new ProxyRefusal(502, text, { code: why.cause, cause });
}

export const tooManySignIns = (cause: Error & { readonly retryAfterSeconds: number }) =>
  new ProxyRefusal(429, cause.message, { cause, retryAfter: cause.retryAfterSeconds });
