import * as z from 'zod/mini';
import { decodeLogFrame, type LogFrame } from './log-frame.ts';
import { type Infer, type MessageSchema, object, uuid, whole } from './schema-kit.ts';

/** A message has the wrong form. The text names the place, never the value. */
export class Malformed extends Error {
  override name = 'Malformed';

  constructor(place: string, problem: string) {
    super(`${place === '' ? 'the message' : place} ${problem}`);
  }
}

/**
 * Stop at the first problem: zod takes 50 times as long to collect all problems of a hostile
 * message as to parse it, and beyond some 100 000 problems it throws a `RangeError`.
 */
const FIRST_PROBLEM: z.core.ParseContextInternal<z.core.$ZodIssue> = { abortEarly: true };

/** Parses a body of a request or of its answer. Throws `Malformed`. */
export function parseMessage<S extends MessageSchema>(schema: S, value: unknown): Infer<S> {
  const result = z.safeParse(schema, value, FIRST_PROBLEM);
  if (result.success) return result.data as Infer<S>;
  throw malformed(result.error.issues);
}

const Typed = object({ type: z.string('is not a string') });

/** Parses a frame; null for a type that only newer senders use. Throws `Malformed`. */
export function parseFrame<S extends z.core.$ZodDiscriminatedUnion>(
  schema: S,
  message: string,
): Infer<S> | null {
  const value = jsonOf(message);
  const result = z.safeParse(schema, value, FIRST_PROBLEM);
  if (result.success) return result.data as Infer<S>;
  parseMessage(Typed, value);
  const { issues } = result.error;
  if (issues[0]?.code === 'invalid_union') return null;
  throw malformed(issues);
}

const LogHeader = object({ id: uuid, offset: whole(), time: whole() });

/** Throws `Malformed`. */
export function parseLogFrame(message: Uint8Array): LogFrame {
  const frame = logFrameOf(message);
  parseMessage(LogHeader, frame);
  return frame;
}

function logFrameOf(message: Uint8Array): LogFrame {
  try {
    return decodeLogFrame(message);
  } catch {
    throw new Malformed('', 'is shorter than its header');
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Malformed('', 'is not JSON');
  }
}

function malformed([issue]: readonly z.core.$ZodIssue[]): Malformed {
  if (issue?.code === 'invalid_key') {
    const problem = issue.issues[0]?.message ?? issue.message;
    return new Malformed(`a key of ${placeOf(issue.path.slice(0, -1))}`, problem);
  }
  return new Malformed(placeOf(issue?.path ?? []), issue?.message ?? 'is invalid');
}

/** `jobs[0].exit`. */
function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, key) => {
    if (typeof key === 'number') return `${place}[${key}]`;
    return place === '' ? String(key) : `${place}.${String(key)}`;
  }, '');
}
