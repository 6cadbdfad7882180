/** Reads what a request has used from the answer of a model, while the answer passes. */
import { StringDecoder } from 'node:string_decoder';
import { TopLevelScan } from './top-level-scan.ts';

export interface Tokens {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The model has not reported them. */
  readonly isEstimated: boolean;
}

export interface UsageMeter {
  /** Returns the bytes to pass on. */
  push(piece: Buffer): Buffer;
  /** Returns the rest to pass on, after the last piece. */
  flush(): Buffer;
  readonly tokens: Tokens;
  /** The event that ends a stream was read. A text of the model that looks like it does not count. */
  readonly isDone: boolean;
}

const NONE: Tokens = { promptTokens: 0, completionTokens: 0, isEstimated: true };
const NOTHING = Buffer.alloc(0);

/** A whole answer: `usage` of a JSON object. */
export function answerMeter(): UsageMeter {
  const scan = new TopLevelScan(['usage']);
  return {
    push(piece) {
      scan.push(piece);
      return piece;
    },
    flush: () => NOTHING,
    isDone: false,
    get tokens() {
      return tokensIn(scan.value('usage')) ?? NONE;
    },
  };
}

/** Bytes; a longer event is passed on without being read. */
const MAX_EVENT = 256 * 1024;

const EVENT_END = /\r\n\r\n|\n\n|\r\r/;
/** One character less than the longest end. */
const TAIL = 3;

/**
 * Server-sent events. `hidesUsage`: the client has not asked for the event that contains only the usage,
 * so it is left out. An answer that breaks off is estimated by its events: most contain one token.
 */
export function streamMeter(hidesUsage: boolean): UsageMeter {
  const decoder = new StringDecoder('utf8');
  /** The parts of an event whose end has not arrived. */
  let parts: string[] = [];
  let length = 0;
  /** The last characters of the parts, with which the end of the event may begin. */
  let tail = '';
  let events = 0;
  let reported: Tokens | null = null;
  /** Anthropic's API reports them in its first event alone. */
  let promptTokens = 0;
  let isDone = false;
  /** Whether to pass the event on. */
  const read = (event: string): boolean => {
    const data = dataOf(event);
    if (data === '[DONE]') isDone = true;
    if (data === null || isDone) return true;
    events += 1;
    if (!data.includes('"usage"')) return true;
    const chunk = objectIn(data);
    const tokens = tokensIn(chunk.usage) ?? tokensIn(objectOf(chunk.response).usage);
    const found = tokens ?? tokensIn(objectOf(chunk.message).usage);
    promptTokens = Math.max(promptTokens, found?.promptTokens ?? 0);
    if (tokens === null) return true;
    reported = { ...tokens, promptTokens };
    const isUsageOnly = Array.isArray(chunk.choices) && chunk.choices.length === 0;
    if (isUsageOnly) events -= 1;
    return !(hidesUsage && isUsageOnly);
  };
  const take = (text: string): Buffer => {
    const seam = tail + text;
    parts.push(text);
    length += text.length;
    // Joining the parts for each of many small ones would take a time that grows with their square.
    if (length <= MAX_EVENT && !EVENT_END.test(seam)) {
      tail = seam.slice(-TAIL);
      return NOTHING;
    }
    const all = parts.join('');
    const end = new RegExp(EVENT_END, 'g');
    end.lastIndex = Math.max(0, all.length - seam.length);
    let passed = '';
    let from = 0;
    while (end.exec(all) !== null) {
      const event = all.slice(from, end.lastIndex);
      from = end.lastIndex;
      if (read(event)) passed += event;
    }
    let rest = all.slice(from);
    if (rest.length > MAX_EVENT) {
      passed += rest;
      rest = '';
    }
    parts = rest === '' ? [] : [rest];
    length = rest.length;
    tail = rest.slice(-TAIL);
    return Buffer.from(passed);
  };
  return {
    push: (piece) => take(decoder.write(piece)),
    flush() {
      const last = parts.join('') + decoder.end();
      parts = [];
      return Buffer.from(read(last) ? last : '');
    },
    get tokens() {
      return reported ?? { ...NONE, promptTokens, completionTokens: events };
    },
    get isDone() {
      return isDone;
    },
  };
}

/** Reads `usage` of chat, completions and embeddings, or of responses, audio and images. Null: no counts. */
export function tokensIn(usage: unknown): Tokens | null {
  const given = objectOf(usage);
  const prompt = given.prompt_tokens ?? given.input_tokens;
  const completion = given.completion_tokens ?? given.output_tokens;
  const total = given.total_tokens;
  if (!isCount(prompt) && !isCount(completion) && !isCount(total)) return null;
  const promptTokens = isCount(prompt) ? prompt : isCount(total) ? total : 0;
  return {
    promptTokens,
    completionTokens: isCount(completion) ? completion : 0,
    isEstimated: false,
  };
}

const MAX_COUNT = 1_000_000_000_000;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT;

function dataOf(event: string): string | null {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:'));
  return lines.length === 0 ? null : lines.map((line) => line.slice(5).trim()).join('\n');
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    // It is passed on as it is: the client reports it.
    return {};
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
