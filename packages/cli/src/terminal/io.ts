import { type Cursor, Redrawn } from './redrawn.ts';
import { type Paint, painter, wantsColour } from './style.ts';
import { printableJson, styledText } from './styled-text.ts';

/** A place to write to: the parts of a stream that the command line needs. */
export interface Sink {
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** Whether its reader is behind; `drain` is told when it is not any more. */
  readonly writableNeedDrain?: boolean;
  once?(event: 'drain' | 'close', listener: () => void): unknown;
}

/** Where answers and piped input come from. */
export interface Source extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined;
}

/**
 * The three streams. Data (tables, JSON, a job's output) goes to `out`, everything that is said
 * about it (progress, questions, warnings, errors) to `err`. Commands cannot write to either by
 * themselves: text that could come from outside passes `styledText` whichever way it takes, and only
 * a job's own output (`output`) is written as it is.
 */
export interface Io {
  readonly input: Source;
  readonly paint: Paint;
  readonly paintErr: Paint;
  /** Columns of the terminal behind `out`; null where it is none. */
  readonly width: number | null;
  /** The same of `err`. */
  readonly errWidth: number | null;
  readonly interactive: boolean;
  print(text: string): void;
  json(value: unknown, indent?: number): void;
  say(text: string): void;
  warn(text: string): void;
  /** To `err` without a line break: a question, whose answer is typed behind it. */
  put(text: string): void;
  /** Ends a line of `err` in which something was typed. */
  endLine(): void;
  /** The reader has ended the line by typing Enter. */
  lineTyped(): void;
  /** Bytes of a job, as they are. */
  output(bytes: Uint8Array, to?: 'out' | 'err'): void;
  /** Resolves when the reader of `out` has room: a job's output may be larger than the memory. */
  drained(): Promise<void>;
  /** A text of ours as it is printed, to be mixed into a job's output. */
  styled(text: string): string;
  /** Blocks that are drawn in place; null where the stream is no terminal. */
  readonly redrawnOut: Redrawn | null;
  readonly redrawnErr: Redrawn | null;
}

export function createIo(
  streams: { out: Sink; err: Sink; input: Source },
  env: Readonly<Record<string, string | undefined>>,
  colour: 'auto' | 'always' | 'never',
): Io {
  const { out, err, input } = streams;
  const paintErr = painter(wantsColour(colour, err.isTTY === true, env));
  const columns = (sink: Sink): number | null =>
    sink.isTTY === true ? Number(env.COLUMNS) || sink.columns || 80 : null;
  const cursor: Cursor = { inLine: false };
  const redrawn = (sink: Sink) => (sink.isTTY === true ? new Redrawn(sink, cursor) : null);
  const redrawnErr = redrawn(err);
  const write = (sink: Sink, text: string | Uint8Array): void => {
    if (text.length === 0) return;
    // What is drawn in place comes again below, at its next turn.
    redrawnErr?.erase();
    sink.write(text);
    if (sink.isTTY === true) cursor.inLine = !endsLine(text);
  };
  /** A line of its own, even if a program's output has not ended its last one. */
  const line = (sink: Sink, text: string): void => {
    if (sink.isTTY === true && cursor.inLine) write(sink, '\n');
    write(sink, styledText(text.endsWith('\n') ? text : `${text}\n`));
  };
  return {
    input,
    paint: painter(wantsColour(colour, out.isTTY === true, env)),
    paintErr,
    width: columns(out),
    errWidth: columns(err),
    interactive: input.isTTY === true && err.isTTY === true,
    print: (text) => line(out, text),
    json: (value, indent) => write(out, `${printableJson(value, indent)}\n`),
    say: (text) => line(err, `${text}\n`),
    warn: (text) => line(err, `${paintErr('warning', 'warning:')} ${text}\n`),
    put: (text) => write(err, styledText(text)),
    endLine: () => write(err, '\n'),
    lineTyped: () => {
      cursor.inLine = false;
    },
    output: (bytes, to = 'out') => write(to === 'out' ? out : err, bytes),
    drained: () => drained(out),
    styled: styledText,
    redrawnOut: redrawn(out),
    redrawnErr,
  };
}

const NEWLINE = 10;

function endsLine(text: string | Uint8Array): boolean {
  return typeof text === 'string' ? text.endsWith('\n') : text.at(-1) === NEWLINE;
}

async function drained(out: Sink): Promise<void> {
  if (out.writableNeedDrain !== true) return;
  await new Promise<void>((resolve) => {
    out.once?.('drain', resolve);
    // Whoever read it has gone.
    out.once?.('close', resolve);
  });
}
