/** The logs that this replica writes, as people may read them. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { GatewayCommand, GatewayFrame, GatewayLogLine } from '@dstack/contract/agent';

type Question = Pick<Extract<GatewayCommand, { type: 'read-log' }>, 'lines' | 'after'>;
type Answer = Omit<Extract<GatewayFrame, { type: 'log' }>, 'type' | 'n'>;
type Source = GatewayLogLine['source'];

/** Bytes of one log that are read for one answer. */
const MAX_READ = 256 * 1024;
const SOURCES = ['gateway', 'nginx'] as const;

export class OwnLogs {
  readonly #paths: Readonly<Record<Source, string>>;

  constructor(paths: Readonly<Record<Source, string>>) {
    this.#paths = paths;
  }

  /** The last lines, or the first ones that fit since an earlier answer; see `read-log`. */
  read({ lines: most, after }: Question): Answer {
    const from = /^\d+,\d+$/.test(after ?? '') ? (after ?? '').split(',').map(Number) : null;
    const parts = SOURCES.map((source, index) =>
      partOf(this.#paths[source], from?.[index] ?? null, source),
    );
    const all = parts.flatMap(({ lines }) => lines);
    // Stable: lines without a time stay behind the one before.
    all.sort((a, b) => (a.time ?? 0) - (b.time ?? 0));
    const lines = all.slice(Math.max(0, all.length - most));
    const isCut = after !== null && (all.length > most || parts.some(({ skipped }) => skipped));
    return { lines, skipped: isCut, next: parts.map(({ end }) => end).join(',') };
  }
}

interface Part {
  readonly lines: GatewayLogLine[];
  readonly skipped: boolean;
  /** Bytes up to the end of its last whole line. */
  readonly end: number;
}

/** `from`: null = the end of the log. A log that is shorter begins anew: its earlier part was put aside. */
function partOf(path: string, from: number | null, source: Source): Part {
  const { bytes, start, isWhole } = bytesOf(path, from);
  const last = bytes.lastIndexOf(10) + 1;
  // The first line may be the rest of one.
  const first = isWhole ? 0 : bytes.indexOf(10) + 1;
  let time: number | null = null;
  const lines: GatewayLogLine[] = [];
  for (const text of bytes.toString('utf8', first, last).split('\n')) {
    if (text.trim() === '') continue;
    const line = source === 'gateway' ? ownLine(text) : nginxLine(text);
    time = line.time ?? time;
    lines.push({ ...line, source, time, text: withoutSecrets(line.text) });
  }
  return { lines, skipped: !isWhole, end: start + last };
}

function bytesOf(path: string, from: number | null) {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // Nothing has been written yet.
    return { bytes: Buffer.alloc(0), start: 0, isWhole: true };
  }
  try {
    const { size } = fstatSync(file);
    const wanted = from === null || from > size ? 0 : from;
    const start = Math.max(wanted, size - MAX_READ);
    const bytes = Buffer.alloc(size - start);
    const read = readSync(file, bytes, 0, bytes.length, start);
    return { bytes: bytes.subarray(0, read), start, isWhole: start === wanted };
  } finally {
    closeSync(file);
  }
}

type Parsed = Pick<GatewayLogLine, 'time' | 'level' | 'text'>;

/** One JSON object, or what Node writes when the program crashes. */
function ownLine(text: string): Parsed {
  try {
    const { time, level, part, message = '', ...rest } = JSON.parse(text);
    const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
    const of = part === 'worker' ? 'worker: ' : '';
    const at = Date.parse(time);
    return {
      ...{ time: Number.isFinite(at) ? at : null, level: levelOf(level) },
      text: `${of}${message}${more}`,
    };
  } catch {
    return { time: null, level: 'error', text };
  }
}

/** `2026/11/28 17:00:00 [warn] 12#12: …`, in the time zone of the host. */
function nginxLine(text: string): Parsed {
  const [, date = '', clock = '', level, rest] =
    /^(\d{4}\/\d\d\/\d\d) (\d\d:\d\d:\d\d) \[(\w+)\] (?:\d+#\d+: )?(.*)$/.exec(text) ?? [];
  if (rest === undefined) return { time: null, level: 'error', text };
  const at = Date.parse(`${date.replaceAll('/', '-')}T${clock}`);
  return { time: Number.isFinite(at) ? at : null, level: levelOf(level), text: rest };
}

const levelOf = (level: unknown): string =>
  typeof level === 'string' && /^\w{1,16}$/.test(level) ? level : 'info';

/** Queries often contain credentials, and errors may repeat a header. */
function withoutSecrets(text: string): string {
  return text
    .slice(0, 4000)
    .replaceAll(/\?[^\s"']+/g, '?…')
    .replaceAll(/\b(Bearer|Basic) +[^\s"',]+/gi, '$1 …')
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, 1000);
}
