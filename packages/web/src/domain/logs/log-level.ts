import type { LogLine } from './line-reader.ts';
import { lineText } from './log-search.ts';

/** From the least to the most severe. */
export const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const NAMES: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warning',
  warning: 'warning',
  error: 'error',
  err: 'error',
  fatal: 'error',
  critical: 'error',
  panic: 'error',
};

const WORD = 'trace|debug|dbg|info|notice|warn|warning|error|err|fatal|critical|panic';
/** `"level": "warn"`, `level=warn`. */
const FIELD = new RegExp(`\\b(?:level|lvl|severity|levelname)"?\\s?[:=]\\s?"?(${WORD})\\b`, 'i');
/** Names in capitals: `2026-11-27 14:03:10 WARNING`, `[ERROR]`. */
const CAPITALS = new RegExp(`\\b(${WORD.toUpperCase()})\\b`);
/** Names at the beginning: `warning: …`, `[error] …`. */
const PREFIX = new RegExp(`^\\s{0,8}\\[?(${WORD})(?:\\]|:)`, 'i');
/** `E1127 14:03:10`, as glog writes it. */
const GLOG = /^([IWEF])\d{4} \d{2}:\d{2}/;
const GLOG_LEVELS: Readonly<Record<string, LogLevel>> = {
  I: 'info',
  W: 'warning',
  E: 'error',
  F: 'error',
};
const TRACEBACK = /^Traceback \(most recent call last\):/;
/** The level stands near the beginning. */
const SEARCHED = 300;

/** The level that a line names; null: none. */
export function levelOf(line: LogLine): LogLevel | null {
  if (line.isNote) return null;
  const text = lineText(line).slice(0, SEARCHED);
  if (TRACEBACK.test(text)) return 'error';
  const glog = GLOG.exec(text)?.[1];
  if (glog !== undefined) return GLOG_LEVELS[glog] ?? null;
  const found = FIELD.exec(text) ?? PREFIX.exec(text) ?? CAPITALS.exec(text);
  return NAMES[found?.[1]?.toLowerCase() ?? ''] ?? null;
}

/** Whether the line continues the one before it, as lines of stack traces do. */
export function isContinuation(line: LogLine): boolean {
  return /^\s{2,}\S|^\tat |^Caused by:/.test(line.text.slice(0, 40));
}

export function reachesLevel(level: LogLevel | null, least: LogLevel): boolean {
  return level !== null && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);
}
