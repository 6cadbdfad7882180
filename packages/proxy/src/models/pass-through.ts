/** Sends a request to a model with OpenAI's API, and its answer back, both unchanged. */
import type { ServerResponse } from 'node:http';
import { withoutTrailingSlashes } from '@dstack/contract';
import type { Dispatcher } from 'undici';
import { SANDBOX } from '../head/headers.ts';
import { askAny } from '../requests/ask-any.ts';
import type { ServiceProxy } from '../requests/service-proxy.ts';
import { drained } from './drained.ts';
import { brokenStream, modelRefusal } from './model-errors.ts';
import type { ModelRequest } from './model-request.ts';
import { connectionBroken, modelErrorText } from './read-answer.ts';
import type { ServedModel } from './served-model.ts';
import { answerMeter, streamMeter, type Tokens, type UsageMeter } from './usage-meter.ts';

export interface PassThrough {
  readonly services: Pick<ServiceProxy, 'ask'>;
  /** In the order in which to try them. */
  readonly served: readonly [ServedModel, ...ServedModel[]];
  /** Below the prefix of the model's API. */
  readonly path: string;
  readonly request: ModelRequest;
  /** Name of the caller. */
  readonly user: string;
  readonly id: string;
  readonly client: ServerResponse;
  /** Headers that let pages of other origins read the answer. */
  readonly originHeaders: Readonly<Record<string, string>>;
  /** Called once, before the client has the whole answer. */
  readonly onUsed: (used: PassedUse) => Promise<void>;
}

export interface PassedUse {
  readonly tokens: Tokens;
  /** The client did not receive the whole answer. */
  readonly isAborted: boolean;
  /** The service that has answered. */
  readonly by: ServedModel;
  /** Milliseconds from the request to the first part of a streamed answer; null = it was not streamed. */
  readonly firstMs: number | null;
}

/** Throws `ProxyRefusal` before anything was answered. */
export async function passToModel(order: PassThrough): Promise<void> {
  const begunAt = performance.now();
  const { answer, by } = await firstAnswer(order);
  const { statusCode, headers } = answer;
  if (statusCode < 200 || statusCode >= 300) {
    throw modelRefusal(statusCode, await modelErrorText(answer.body), headers['retry-after']);
  }
  await relay(answer, order, { by, begunAt });
}

async function firstAnswer(order: PassThrough): Promise<{
  readonly answer: Dispatcher.ResponseData;
  readonly by: ServedModel;
}> {
  const { services, served, path, request, user, id, client } = order;
  let by = served[0];
  const answer = await askAny(services, served, (one) => {
    by = one;
    const { model } = one;
    return {
      path: `${model.format === 'openai' ? withoutTrailingSlashes(model.prefix) : ''}/${path}`,
      body: () => request.body.read(),
      contentType: request.contentType,
      length: request.body.size,
      ...{ user, id, client },
    };
  });
  return { answer, by };
}

/** Browsers must not treat an answer as a page. */
const MEDIA =
  /^(application\/(json|octet-stream|x-ndjson|x-subrip)|audio\/|image\/(png|jpeg|webp)|text\/(event-stream|plain|vtt))/i;

/** Bytes of a whole answer that are gathered before its head is sent, so that a break is an error. */
const GATHERED = 256 * 1024;

async function relay(
  answer: Dispatcher.ResponseData,
  order: PassThrough,
  { by, begunAt }: { readonly by: ServedModel; readonly begunAt: number },
): Promise<void> {
  const { client, request, id } = order;
  const given = answer.headers['content-type'];
  const type = String(given ?? (request.isStream ? 'text/event-stream' : 'application/json'));
  const isStream = /^text\/event-stream/i.test(type);
  const meter = isStream ? streamMeter(request.hidesUsage) : answerMeter();
  const pieces = (answer.body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let isReported = false;
  let firstMs: number | null = null;
  const report = async (isAborted: boolean) => {
    if (isReported) return;
    isReported = true;
    await order.onUsed({ tokens: meter.tokens, isAborted, by, firstMs });
  };
  const send = async (bytes: Buffer) => {
    if (bytes.length === 0) return;
    // A client that reads this marker may disconnect.
    if (meter.isDone) await report(false);
    if (!client.write(bytes)) await drained(client);
  };
  try {
    const { bytes, isOver } = await beginning(pieces, meter, isStream ? 1 : GATHERED);
    if (isStream && bytes.length > 0) firstMs = performance.now() - begunAt;
    if (isOver) await report(client.destroyed);
    client.writeHead(answer.statusCode, {
      'Content-Type': MEDIA.test(type) ? type : 'application/octet-stream',
      'X-Content-Type-Options': 'nosniff',
      'X-Request-Id': id,
      [SANDBOX[0]]: SANDBOX[1],
      ...order.originHeaders,
      ...(isStream && { 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' }),
      ...(isOver && { 'Content-Length': String(bytes.length) }),
    });
    await send(bytes);
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      await send(meter.push(next.value));
    }
    await send(meter.flush());
    await report(client.destroyed);
    client.end();
  } catch (error) {
    if (!client.headersSent && !client.destroyed) throw connectionBroken(error);
    await report(true);
    // The client must see that something is missing.
    if (!isStream || client.destroyed) client.destroy();
    else client.end(brokenStream(error));
  } finally {
    answer.body.destroy();
  }
}

/** At least so many bytes to pass on, unless the answer ends before. */
async function beginning(
  pieces: AsyncIterator<Buffer>,
  meter: UsageMeter,
  wanted: number,
): Promise<{ readonly bytes: Buffer; readonly isOver: boolean }> {
  const gathered: Buffer[] = [];
  for (let size = 0; size < wanted; ) {
    const next = await pieces.next();
    const passed = next.done ? meter.flush() : meter.push(next.value);
    gathered.push(passed);
    size += passed.length;
    if (next.done) return { bytes: Buffer.concat(gathered), isOver: true };
  }
  return { bytes: Buffer.concat(gathered), isOver: false };
}
