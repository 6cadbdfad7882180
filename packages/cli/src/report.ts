import { errorMessage } from '@dstack/contract/error-message';
import { CancelledError, CliError, EXIT } from './errors.ts';
import { nextStepAfter } from './next-steps.ts';
import type { Io } from './terminal/io.ts';
import { hangingText } from './terminal/text-width.ts';

/**
 * Prints a failure to stderr (what, why, next; one line each) and returns the exit code. No other
 * place prints failures.
 */
export async function reportFailure(error: unknown, io: Io, debug: boolean): Promise<number> {
  // The user pressed Ctrl-C and needs no message.
  if (error instanceof CancelledError || (error as Error)?.name === 'AbortError') {
    return EXIT.interrupted;
  }
  const shown = await describeFailure(error);
  const paint = io.paintErr;
  if (shown.blankLine) io.endLine();
  const wrapped = (text: string): string => indented(hangingText(text, INDENT, io.errWidth));
  io.info(`${paint('error', 'error:')} ${wrapped(shown.message)}`);
  const { excerpt } = shown;
  const lines = typeof excerpt === 'function' ? excerpt(io.errWidth) : excerpt;
  if (lines) io.info(lines.replace(/\n$/, ''));
  if (shown.why) io.info(`  ${paint('secondary', 'why:')}  ${wrapped(shown.why)}`);
  // A command is copied, so that no line break may be added to it.
  const next = shown.next?.startsWith('dstack ') ? indented(shown.next) : wrapped(shown.next ?? '');
  if (shown.next) io.info(`  ${paint('secondary', 'next:')} ${next}`);
  if (debug && error instanceof Error) io.info(paint('dim', traceOf(error)));
  return shown.exitCode;
}

/** A failure of any kind with what is printed about it. */
export async function describeFailure(error: unknown): Promise<CliError> {
  return error instanceof CliError ? error : await translate(error);
}

/** The column of the texts. */
const INDENT = 8;

/** Indents further lines, so that none looks like another part of the report. */
function indented(text: string): string {
  return text.replace(/\r?\n(?! )/g, `\n${' '.repeat(8)}`);
}

function traceOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${traceOf(error.cause)}` : '';
  return (error.stack ?? error.message) + cause;
}

async function translate(error: unknown): Promise<CliError> {
  const client = await import('@dstack/client');
  if (error instanceof client.ConnectionError)
    return connectionFailed(error.url, error.errorCode, error);
  if (error instanceof client.TimeoutError) {
    return new CliError(error.message, {
      why: `${error.request} was sent, but no response came back`,
      next: `curl -i ${error.url}/healthcheck`,
      cause: error,
    });
  }
  if (error instanceof client.NotDstackError) return notDstack(error);
  if (error instanceof client.JobSocketError) return jobFailed(error);
  if (error instanceof client.ApiError) return apiFailed(error, client);
  const message = errorMessage(error);
  return new CliError(message || 'Unexpected failure', {
    why: 'dstack did not expect this error',
    next: 'run the command again with --debug and report what it prints',
    cause: error,
  });
}

const SYSTEM_MESSAGES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no program listens there (connection refused)',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  ENOENT: 'there is no such socket',
  ECONNRESET: 'the other side closed the connection',
  ETIMEDOUT: 'the host does not answer',
  EPROTO: 'the program there does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the program there does not speak TLS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'an unknown authority has signed its certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'an unknown authority has signed its certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'an unknown authority has signed its certificate',
};

const WITHOUT_TLS = /^(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)$/;
const UNKNOWN_CERTIFICATE = /SELF_SIGNED|^UNABLE_TO_/;

function connectionFailed(url: string, code: string | null, cause: unknown): CliError {
  return new CliError(`Failed to connect to dstack server ${url}`, {
    why:
      (code && SYSTEM_MESSAGES[code]) ||
      code ||
      (cause instanceof Error ? String(cause.cause) : ''),
    next: nextAfter(url, code),
    cause,
  });
}

function nextAfter(url: string, code: string | null): string {
  if (code && UNKNOWN_CERTIFICATE.test(code)) {
    return 'set NODE_EXTRA_CA_CERTS to a file with the certificate of the authority that you trust';
  }
  if (code && WITHOUT_TLS.test(code)) return `try ${url.replace(/^https:/, 'http:')}`;
  const local = /\/\/(127\.0\.0\.1|localhost)[:/]?/.test(url);
  return local ? 'dstack server' : 'dstack project list (is the URL right?)';
}

const SOCKET_NEXT: Readonly<Record<string, string>> = {
  unknown_job: 'dstack ps --verbose',
  not_running: 'dstack ps',
  unsupported: 'update the agent: restart the server, which installs its own version',
  too_many: 'close some of them',
  revoked: 'ask an admin of the project for the permission',
  unreachable: 'try again in a moment; dstack fleet shows the state of the host',
  connection_lost: 'run the command again',
  closed: 'run the command again',
};

/** There is no connection to a job, or not any more. */
function jobFailed(error: InstanceType<ClientModule['JobSocketError']>): CliError {
  const exitCodes: Readonly<Record<string, number>> = {
    unknown_job: EXIT.notFound,
    revoked: EXIT.notAllowed,
  };
  const [what = '', ...why] = error.message.split(/[:;] /);
  return new CliError(what, {
    exitCode: exitCodes[error.code] ?? EXIT.failed,
    why: why.join('; ') || undefined,
    next: SOCKET_NEXT[error.code],
    cause: error,
  });
}

function notDstack(error: InstanceType<ClientModule['NotDstackError']>): CliError {
  const program = error.program === null ? '' : `, ${error.program}`;
  return new CliError(error.message, {
    why: `${error.request} was answered by another program (status ${error.status}${program})`,
    next: 'correct the URL: DSTACK_SERVER_URL, or dstack project list and dstack project add',
    cause: error,
  });
}

/** The message contains the missing right and, after a semicolon, who can grant it. */
function accessDenied(error: Error): CliError {
  const text = error.message.replace(/^access denied(: )?/i, '');
  const [why = '', ...more] = text.split('; ');
  return new CliError('Access denied', {
    exitCode: EXIT.notAllowed,
    why: why || error.message,
    next: more.join('; ') || 'ask an admin of the project for the permission',
    cause: error,
  });
}

type ClientModule = typeof import('@dstack/client');

function apiFailed(error: InstanceType<ClientModule['ApiError']>, client: ClientModule): CliError {
  const id = error.requestId ? ` (request ${error.requestId})` : '';
  const answer = `${error.request} was answered with status ${error.status}${id}`;
  if (error instanceof client.ForbiddenError || error instanceof client.UnauthorizedError) {
    // The server returns the same errors for a valid token without the permission.
    const isToken = /^(invalid token|not authenticated)/i.test(error.message);
    return isToken
      ? new CliError('The server does not accept your token', {
          exitCode: EXIT.notAllowed,
          why: answer,
          next: 'dstack project add --name PROJECT --url URL --token TOKEN',
          cause: error,
        })
      : accessDenied(error);
  }
  if (error instanceof client.MethodNotAllowedError) {
    return new CliError('The server does not support this', {
      why: answer,
      next: "update the server, or use the command line of the server's version",
      cause: error,
    });
  }
  if (error instanceof client.NotFoundError) {
    const [, name] = /\/api\/projects?\/([^/]+)\//.exec(error.request) ?? [];
    const project = name === undefined ? 'this project' : `project ${decodeURIComponent(name)}`;
    return new CliError(`The server does not have ${project}`, {
      exitCode: EXIT.notFound,
      why: answer,
      next: 'correct --project or DSTACK_PROJECT (dstack project list)',
      cause: error,
    });
  }
  if (error instanceof client.BadRequestError) {
    const next = nextStepAfter(error.message) ?? undefined;
    const isMissing = error instanceof client.ResourceNotExistsError;
    const exitCode = isMissing ? EXIT.notFound : EXIT.failed;
    return new CliError(error.message, { exitCode, next, cause: error });
  }
  if (error instanceof client.ValidationError) {
    return new CliError('The server does not accept the request', {
      excerpt: error.message.replace(/^/gm, '  '),
      why: answer,
      cause: error,
    });
  }
  return new CliError(error.message, {
    why: answer,
    next: 'try again; if the error stays, check the log of the server',
    cause: error,
  });
}
