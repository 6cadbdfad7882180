/**
 * An engine with OpenAI's API for tests: `node engine.ts`, on port 8000 of the job's own address. Its
 * answers repeat what it receives, and every one reports its usage. The last word of a prompt can request
 * a fault: `refuse` (400), `overloaded` (503 until a second has passed), `break` (a stream breaks off),
 * `endless` (a stream without an end).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

interface Asked {
  readonly model: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly prompt: string;
  readonly encoding_format?: string;
}

type Answer = (asked: Asked, response: ServerResponse, form: FormData | null) => void;

const { DSTACK_LISTEN_ADDRESS: address } = process.env;
/** By prompt: when its first request was refused, in milliseconds, and how many requests there were. */
const overloads = new Map<string, { at: number; attempts: number }>();

const server = createServer(async (request, response) => {
  const body = await buffer(request);
  const [path = ''] = (request.url ?? '').split('?');
  const form = await formOf(request, body);
  const asked = form === null ? parsed(body) : fieldsOf(form);
  const answer = answers[path];
  if (answer === undefined) sendError(response, 404, `no such path: ${path}`);
  else if (!isFaulty(asked, response)) answer(asked, response, form);
});

function parsed(body: Buffer): Asked {
  const { messages, prompt, input, ...others } = JSON.parse(body.toString() || '{}');
  return { ...others, prompt: String(messages?.at(-1).content ?? prompt ?? input) };
}

async function formOf(request: IncomingMessage, body: Buffer): Promise<FormData | null> {
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) return null;
  return new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData();
}

function fieldsOf(form: FormData): Asked {
  return { model: String(form.get('model')), prompt: String(form.get('prompt')) };
}

function isFaulty({ prompt }: Asked, response: ServerResponse): boolean {
  if (prompt.endsWith('refuse')) {
    sendError(response, 400, 'this engine refuses', { param: 'messages', code: 'refused' });
    return true;
  }
  if (!prompt.endsWith('overloaded')) return false;
  const known = overloads.get(prompt) ?? { at: performance.now(), attempts: 0 };
  overloads.set(prompt, known);
  known.attempts += 1;
  if (performance.now() - known.at > 900) return false;
  response.setHeader('retry-after', '1');
  sendError(response, 503, 'this engine is overloaded');
  return true;
}

function sendError(response: ServerResponse, status: number, message: string, more = {}): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type: 'engine_error', ...more } }));
}

function send(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

/** Words are tokens. */
const count = (text: string) => text.split(' ').length;

const usage = (prompt: string, reply: string) => ({
  prompt_tokens: count(prompt),
  completion_tokens: count(reply),
  total_tokens: count(prompt) + count(reply),
});

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`;

const chat: Answer = ({ model, prompt, ...asked }, response) => {
  const attempts = overloads.get(prompt)?.attempts;
  const reply = attempts === undefined ? prompt.toUpperCase() : `attempts: ${attempts}`;
  const head = { id: 'chat-1', created: 1, model };
  if (asked.stream !== true) {
    const message = { role: 'assistant', content: reply };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    const whole = { ...head, object: 'chat.completion', choices, usage: usage(prompt, reply) };
    return send(response, whole);
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = { ...head, object: 'chat.completion.chunk' };
  for (const content of reply.split(' ')) {
    const choices = [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }];
    response.write(event({ ...chunk, choices }));
  }
  if (prompt.endsWith('endless')) return;
  if (prompt.endsWith('break')) {
    response.write('', () => response.destroy());
    return;
  }
  if (asked.stream_options?.include_usage) {
    response.write(event({ ...chunk, choices: [], usage: usage(prompt, reply) }));
  }
  response.end('data: [DONE]\n\n');
};

const respond: Answer = ({ model, prompt, stream }, response) => {
  const reply = prompt.toUpperCase();
  const content = [{ type: 'output_text', text: reply, annotations: [] }];
  const output = [
    { id: 'msg-1', type: 'message', role: 'assistant', status: 'completed', content },
  ];
  const head = { id: 'resp-1', object: 'response', created_at: 1, model };
  const { prompt_tokens, completion_tokens, total_tokens } = usage(prompt, reply);
  const counted = {
    input_tokens: prompt_tokens,
    output_tokens: completion_tokens,
    total_tokens,
  };
  const whole = { ...head, status: 'completed', output, usage: counted };
  if (stream !== true) return send(response, whole);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const named = (type: string, data: object) =>
    response.write(`event: ${type}\n${event({ type, ...data })}`);
  named('response.created', { response: { ...head, status: 'in_progress', output: [] } });
  for (const delta of reply.split(' ')) named('response.output_text.delta', { delta });
  named('response.completed', { response: whole });
  response.end();
};

const embed: Answer = ({ model, prompt, encoding_format }, response) => {
  const numbers = Float32Array.of(0.5, count(prompt));
  const embedding =
    encoding_format === 'base64' ? Buffer.from(numbers.buffer).toString('base64') : [...numbers];
  const data = [{ object: 'embedding', index: 0, embedding }];
  const tokens = { prompt_tokens: count(prompt), total_tokens: count(prompt) };
  send(response, { object: 'list', data, model, usage: tokens });
};

const image: Answer = ({ prompt }, response, form) => {
  const file = form?.get('image');
  const picture = file instanceof File ? `${prompt} on ${file.name}, ${file.size} bytes` : prompt;
  const tokens = { input_tokens: count(prompt), output_tokens: 10, total_tokens: 10 };
  const data = [{ b64_json: Buffer.from(picture).toString('base64') }];
  send(response, { created: 1, data, usage: tokens });
};

const answers: Readonly<Record<string, Answer>> = {
  '/v1/chat/completions': chat,
  '/v1/completions': ({ model, prompt }, response) => {
    const choices = [{ index: 0, text: prompt.toUpperCase(), finish_reason: 'stop' }];
    const head = { id: 'text-1', object: 'text_completion', created: 1, model };
    send(response, { ...head, choices, usage: usage(prompt, prompt) });
  },
  '/v1/embeddings': embed,
  '/v1/responses': respond,
  '/v1/images/generations': image,
  '/v1/images/edits': image,
  '/v1/audio/transcriptions': (_asked, response, form) => {
    const file = form?.get('file');
    const text = file instanceof File ? `${file.name}: ${file.size} bytes` : 'no file';
    const tokens = { type: 'tokens', input_tokens: 3, output_tokens: 2, total_tokens: 5 };
    send(response, { text, usage: tokens });
  },
  '/v1/audio/speech': (_asked, response) => {
    response.writeHead(200, { 'content-type': 'audio/mpeg' }).end(Buffer.alloc(100_000, 7));
  },
};

process.on('SIGINT', () => process.exit(0));
server.listen(8000, address, () => console.log('listens'));
