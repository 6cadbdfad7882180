import { type Cursor, Redrawn } from './redrawn.ts';
import type { Sink } from './sink.ts';
import { type Paint, painter, wantsColour } from './style.ts';
import { printableJson, styledText } from './styled-text.ts';

/** The source of answers and piped input. */
export interface Source extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined;
  /** Raw: each key is read as it is typed, and is not shown. */
  setRawMode?(isRaw: boolean): unknown;
}

/**
 * The three streams. Data (tables, JSON, a job's output) goes to `out`; progress, questions, warnings
 * and errors go to `err`. Commands cannot write to the streams directly, so that all text passes
 * `styledText`, except the output of a job (`output`), which is written unchanged.
 */
export interface Io {
  readonly input: Source;
  readonly paint: Paint;
  readonly paintErr: Paint;
  /** Columns of the terminal behind `out`; null if it is not a terminal. */
  readonly width: number | null;
  /** The same for `err`. */
  readonly errWidth: number | null;
  readonly interactive: boolean;
  /** The size of the terminal behind `out`, else of the one behind `err`; null if there is none. */
  readonly size: { readonly cols: number; readonly rows: number } | null;
  /** Calls `listener` whenever that size changes, until the returned function is called. */
  onResize(listener: () => void): () => void;
  print(text: string): void;
  json(value: unknown, indent?: number): void;
  info(text: string): void;
  warn(text: string): void;
  /** Writes to `err` without a line break, for a question that is answered on the same line. */
  put(text: string): void;
  /** Ends a line of `err` with typed text in it. */
  endLine(): void;
  /** Called when the user has ended the line with Enter. */
  lineTyped(): void;
  /** Whether the stream's reader interprets escape sequences: a terminal, or `--color always`. */
  showsControls(to: 'out' | 'err'): boolean;
  /** Writes bytes of a job unchanged. */
  output(bytes: Uint8Array, to?: 'out' | 'err'): void;
  /** Whether the reader of `out` has not caught up. */
  isBehind(): boolean;
  /**
   * Resolves when the reader of `out` has caught up: a job's output may be larger than the memory.
   */
  drained(): Promise<void>;
  /** Text as printed, for one of our lines within a job's output. */
  styled(text: string): string;
  /** Blocks that are drawn in place; null if the stream is not a terminal. */
  readonly redrawnOut: Redrawn | null;
  readonly redrawnErr: Redrawn | null;
}

type Env = Readonly<Record<string, string | undefined>>;

export function createIo(
  streams: { out: Sink; err: Sink; input: Source },
  env: Env,
  colour: 'auto' | 'always' | 'never',
): Io {
  const { out, err, input } = streams;
  const paintErr = painter(wantsColour(colour, err.isTTY === true, env));
  const cursor: Cursor = { inLine: false };
  const redrawn = (sink: Sink) => (sink.isTTY === true ? new Redrawn(sink, cursor) : null);
  const redrawnErr = redrawn(err);
  const { write, line } = writers(cursor, redrawnErr);
  return {
    input,
    paint: painter(wantsColour(colour, out.isTTY === true, env)),
    paintErr,
    width: columnsOf(out, env),
    errWidth: columnsOf(err, env),
    interactive: input.isTTY === true && err.isTTY === true,
    get size() {
      const { columns = 0, rows = 0 } = out.isTTY === true ? out : err;
      return columns > 0 ? { cols: columns, rows: rows || 24 } : null;
    },
    onResize: (listener) => {
      const sink = out.isTTY === true ? out : err;
      sink.on?.('resize', listener);
      return () => sink.off?.('resize', listener);
    },
    print: (text) => line(out, text),
    json: (value, indent) => write(out, `${printableJson(value, indent)}\n`),
    info: (text) => line(err, `${text}\n`),
    warn: (text) => line(err, `${paintErr('warning', 'warning:')} ${text}\n`),
    put: (text) => write(err, styledText(text)),
    endLine: () => write(err, '\n'),
    lineTyped: () => {
      cursor.inLine = false;
    },
    showsControls: (to) => colour === 'always' || (to === 'out' ? out : err).isTTY === true,
    output: (bytes, to = 'out') => write(to === 'out' ? out : err, bytes),
    isBehind: () => out.writableNeedDrain === true,
    drained: () => drained(out),
    styled: styledText,
    redrawnOut: redrawn(out),
    redrawnErr,
  };
}

function writers(cursor: Cursor, redrawnErr: Redrawn | null) {
  const write = (sink: Sink, text: string | Uint8Array): void => {
    if (text.length === 0) return;
    // The next `draw` writes the block again, below this text.
    redrawnErr?.erase();
    sink.write(text);
    if (sink.isTTY === true) cursor.inLine = !endsLine(text);
  };
  /** Starts a new line first if a program's output has not ended its last one. */
  const line = (sink: Sink, text: string): void => {
    if (sink.isTTY === true && cursor.inLine) write(sink, '\n');
    write(sink, styledText(text.endsWith('\n') ? text : `${text}\n`));
  };
  return { write, line };
}

function columnsOf(sink: Sink, env: Env): number | null {
  return sink.isTTY === true ? Number(env.COLUMNS) || sink.columns || 80 : null;
}

const NEWLINE = 10;

function endsLine(text: string | Uint8Array): boolean {
  return typeof text === 'string' ? text.endsWith('\n') : text.at(-1) === NEWLINE;
}

async function drained(out: Sink): Promise<void> {
  if (out.writableNeedDrain !== true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      out.off?.('drain', done);
      out.off?.('close', done);
      resolve();
    };
    out.once?.('drain', done);
    // The reader has closed the stream.
    out.once?.('close', done);
  });
}
