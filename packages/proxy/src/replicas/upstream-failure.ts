/** Failures between this server and the app of a replica. */
import { errorMessage } from '@dstack/contract/error-message';

/** The connection to the app could not be opened; no byte of the request was sent. */
export class ConnectFailure extends Error {
  override name = 'ConnectFailure';
  readonly port: number;

  constructor(port: number, cause: unknown) {
    super(errorMessage(cause), { cause });
    this.port = port;
  }
}

/** The app has sent no byte within the timeout. */
export class NoAnswerInTime extends Error {
  override name = 'NoAnswerInTime';
}

export type UpstreamFailure =
  | { readonly cause: 'connection_refused'; readonly port: number }
  | { readonly cause: 'no_connection' | 'connection_broken' | 'invalid_answer' }
  | { readonly cause: 'timed_out' };

export function upstreamFailure(error: Error): UpstreamFailure {
  if (isTimeout(error)) return { cause: 'timed_out' };
  if (error instanceof ConnectFailure) {
    const code = codeOf(error.cause);
    // `port_refused` is the agent's code for it.
    const isRefused = code === 'ECONNREFUSED' || code === 'port_refused';
    return isRefused
      ? { cause: 'connection_refused', port: error.port }
      : { cause: 'no_connection' };
  }
  const isNonsense = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES|ERR_INVALID_|ERR_HTTP_)/;
  return { cause: isNonsense.test(codeOf(error)) ? 'invalid_answer' : 'connection_broken' };
}

/** For users. */
export function failureText(one: Exclude<UpstreamFailure, { cause: 'timed_out' }>): string {
  switch (one.cause) {
    case 'connection_refused':
      return `no program listens at port ${one.port} of its replica`;
    case 'no_connection':
      return 'its replica cannot be reached';
    case 'connection_broken':
      return 'its replica closed the connection without an answer';
    case 'invalid_answer':
      return 'its replica answered with something other than HTTP';
  }
}

export function isTimeout(error: Error): boolean {
  return (
    error instanceof NoAnswerInTime ||
    /^UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT$/.test(codeOf(error))
  );
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
