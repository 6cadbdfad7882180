import { type Paint, painter, wantsColour } from './style.ts';

/** A place to write to: the parts of a stream that the command line needs. */
export interface Sink {
  write(data: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
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
 * about it (progress, questions, warnings, errors) to `err`.
 */
export interface Io {
  readonly out: Sink;
  readonly err: Sink;
  readonly input: Source;
  readonly paint: Paint;
  readonly paintErr: Paint;
  /** Columns of the terminal behind `out`; null where it is none. */
  readonly width: number | null;
  readonly interactive: boolean;
  print(text: string): void;
  /** Resolves when the reader of `out` has room: a job's output may be larger than the memory. */
  drained(): Promise<void>;
  json(value: unknown, indent?: number): void;
  say(text: string): void;
  warn(text: string): void;
}

export function createIo(
  streams: { out: Sink; err: Sink; input: Source },
  env: Readonly<Record<string, string | undefined>>,
  colour: 'auto' | 'always' | 'never',
): Io {
  const { out, err, input } = streams;
  const paintErr = painter(wantsColour(colour, err.isTTY === true, env));
  const columns = Number(env.COLUMNS) || out.columns || 80;
  return {
    out,
    err,
    input,
    paint: painter(wantsColour(colour, out.isTTY === true, env)),
    paintErr,
    width: out.isTTY === true ? columns : null,
    interactive: input.isTTY === true && err.isTTY === true,
    print: (text) => void out.write(text.endsWith('\n') ? text : `${text}\n`),
    drained: () => drained(out),
    json: (value, indent) => void out.write(`${JSON.stringify(value, null, indent)}\n`),
    say: (text) => void err.write(`${text}\n`),
    warn: (text) => void err.write(`${paintErr('warning', 'warning:')} ${text}\n`),
  };
}

async function drained(out: Sink): Promise<void> {
  if (out.writableNeedDrain !== true) return;
  await new Promise<void>((resolve) => {
    out.once?.('drain', resolve);
    // Whoever read it has gone.
    out.once?.('close', resolve);
  });
}
