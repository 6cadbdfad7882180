import { plainLine } from '@dstack/contract';
import { SESSION_KEY_HEADER } from '@dstack/contract/session-key';
import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/** Values under these names are never logged, at any depth of the object. */
const SECRET_PATHS = [
  'token',
  'password',
  'secret',
  'private_key',
  'authorization',
  'creds',
  'cookie',
  SESSION_KEY_HEADER,
];

/** The server's variables use Python's names of levels. */
const PINO_LEVELS: Readonly<Record<string, string>> = { warning: 'warn', critical: 'fatal' };

export interface LogOptions {
  /** debug, info, warning, error or critical. */
  readonly level: string;
  /** `json`: one object a line. `pretty`: time, level and text for a terminal. */
  readonly format: 'json' | 'pretty';
}

/** `destination`: of JSON lines; default standard output. */
export function createLogger(
  options: LogOptions,
  destination?: { write(line: string): void },
): Logger {
  const redact = {
    paths: SECRET_PATHS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]),
    censor: '[redacted]',
  };
  const level = PINO_LEVELS[options.level] ?? options.level;
  const base = { level, redact, base: null };
  if (options.format === 'json') {
    const json = { ...base, timestamp: pino.stdTimeFunctions.isoTime };
    return destination ? pino(json, destination) : pino(json);
  }
  return pino(base, { write: (line: string) => process.stdout.write(prettyLine(line)) });
}

const LEVELS: Record<number, string> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'FATAL',
};

/**
 * `[HH:MM:SS] LEVEL  text  key=value …`, the layout that users of the server expect. Control
 * characters in values are escaped.
 */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line);
  const clock = new Date(time).toTimeString().slice(0, 8);
  const pairs = Object.entries(rest).map(([key, value]) => `${key}=${plain(value)}`);
  const cause = err?.message ? [`cause=${plain(err.message)}`] : [];
  const head = `[${clock}] ${(LEVELS[level] ?? 'INFO').padEnd(8)}`;
  return `${plainLine([`${head}${msg ?? ''}`, ...pairs, ...cause].join(' '))}\n`;
}

function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text;
}
