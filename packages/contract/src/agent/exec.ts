/**
 * Commands in a running job, over a WebSocket: between client and server, and the same between server and
 * agent. Text messages are JSON (`ExecInput` to the job, `ExecOutput` from it). Binary messages are one
 * byte with the channel, then bytes of that channel.
 */
import { parseFrame } from './parse-message.ts';
import {
  byType,
  frame,
  type Infer,
  line,
  list,
  mapOf,
  messageText,
  nullable,
  object,
  text,
  textLike,
  whole,
} from './schema-kit.ts';

export const EXEC_CHANNELS = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** Most bytes of a message. Output comes in pieces of at most `MAX_EXEC_PIECE`. */
export const MAX_EXEC_MESSAGE = 1024 * 1024;
export const MAX_EXEC_PIECE = 64 * 1024;

const MAX_ARGUMENTS = 1000;
const MAX_VARIABLES = 200;

/** Characters; a terminal without a size would break full-screen programs. */
const size = { cols: whole(10_000, 1), rows: whole(10_000, 1) };

export const ExecInput = byType(
  /**
   * The first message. `argv` is started unchanged; `command` by the job's shell; with neither, a login
   * shell. `tty` null: standard output and error are separate. `user`: a name in the job, null = the
   * job's own.
   */
  frame('start', {
    argv: nullable(list(text(), MAX_ARGUMENTS)),
    command: nullable(text()),
    tty: nullable(object({ term: line(100), ...size })),
    env: nullable(
      mapOf(textLike(/^[A-Za-z_]\w{0,255}$/, 'is not a variable name'), text(), MAX_VARIABLES),
    ),
    user: nullable(line(256)),
  }),
  frame('resize', size),
  /** A name without `SIG`. */
  frame('signal', { name: textLike(/^[A-Z][A-Z0-9]{1,9}$/, 'is not the name of a signal') }),
  /** The end of standard input. */
  frame('eof', {}),
);
export type ExecInput = Infer<typeof ExecInput>;
export type ExecStart = Extract<ExecInput, { type: 'start' }>;

export const ExecOutput = byType(
  /** The command runs. */
  frame('started', {}),
  /** The last message. `signal`: the name of the signal that ended it, without `SIG`; else null. */
  frame('exit', { status: whole(255), signal: nullable(line(20)) }),
  /** The last message: the command was not started, or the connection to it was lost. */
  frame('error', { code: line(100), message: messageText() }),
);
export type ExecOutput = Infer<typeof ExecOutput>;

/** Null for a type that only newer clients send. Throws `Malformed`. */
export function parseExecInput(message: string): ExecInput | null {
  return parseFrame(ExecInput, message);
}

/** Null for a type that only newer agents send. Throws `Malformed`. */
export function parseExecOutput(message: string): ExecOutput | null {
  return parseFrame(ExecOutput, message);
}
