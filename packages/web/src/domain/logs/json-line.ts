import { withoutControls } from './ansi.ts';
import type { LogLine } from './line-reader.ts';

/** Longer lines are left as they are. */
const MOST = 64 * 1024;
const MESSAGES = ['message', 'msg', 'event', 'text'];
const LEVELS = ['level', 'severity', 'levelname', 'lvl'];
const TIMES = ['time', 'timestamp', 'ts', '@timestamp', 'asctime'];

const DIM = '\x1b[2m';
const NOT_DIM = '\x1b[22m';
const BOLD = '\x1b[1m';

/**
 * A line that is a JSON object as `LEVEL message key=value …`: the text that readers want first. Other lines
 * stay as they are. Nothing of the object can colour the line: control characters are removed.
 */
export function jsonLine(line: LogLine): LogLine {
  const fields = fieldsOf(line);
  if (fields === null) return line;
  const rest = new Map(fields);
  const take = (names: readonly string[]) => {
    const name = names.find((one) => rest.has(one));
    const value = name === undefined ? undefined : rest.get(name);
    if (name !== undefined) rest.delete(name);
    return value === undefined ? [] : [valueText(value)];
  };
  const time = take(TIMES).map((text) => `${DIM}${text}${NOT_DIM}`);
  const level = take(LEVELS).map((text) => `${BOLD}${text.toUpperCase()}${NOT_DIM}`);
  const message = take(MESSAGES);
  const others = [...rest].map(
    ([name, value]) => `${DIM}${clean(name)}=${NOT_DIM}${valueText(value)}`,
  );
  return { ...line, text: [...level, ...message, ...others, ...time].join('  ') };
}

function fieldsOf(line: LogLine): readonly (readonly [string, unknown])[] | null {
  const text = line.isNote ? '' : line.text;
  if (!text.startsWith('{') || text.length > MOST) return null;
  try {
    return Object.entries(JSON.parse(text) as object);
  } catch {
    // It only looked like JSON.
    return null;
  }
}

const valueText = (value: unknown): string =>
  clean(typeof value === 'string' ? value : JSON.stringify(value));

const clean = (text: string): string => withoutControls(text).replaceAll('\n', '⏎');
