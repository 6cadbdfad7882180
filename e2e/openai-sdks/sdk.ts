/** The calls of `sdk.py` by the JavaScript SDK; both return the same. */
import OpenAI, { APIError, toFile } from 'openai';

const model = 'parrot';

export interface SdkSettings {
  readonly baseURL: string;
  readonly apiKey: string;
}

const said = (content: string) => [{ role: 'user' as const, content }];

async function chat(client: OpenAI, text: string, named = model) {
  const answer = await client.chat.completions.create({ model: named, messages: said(text) });
  return answer.choices[0]?.message.content;
}

async function errorOf(call: () => Promise<unknown>) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    const { status, code, message, headers, requestID } = error;
    const name = error.constructor.name;
    if (status === undefined) return { class: name, message };
    return {
      ...{ class: name, status, code: code ?? null },
      // The SDK puts the status before the message.
      message: message.replace(`${status} `, ''),
      waits: Number(headers?.get('retry-after') ?? 0) > 0,
      has_request_id: Boolean(requestID),
    };
  }
  return null;
}

async function streamed(client: OpenAI, text: string) {
  const stream = await client.chat.completions.create({
    ...{ model, messages: said(text), stream: true, stream_options: { include_usage: true } },
  });
  const parts: unknown[] = [];
  for await (const { choices, usage } of stream) {
    parts.push(choices[0] ? choices[0].delta.content : usage?.completion_tokens);
  }
  return parts;
}

async function stopped(client: OpenAI, text: string) {
  const stream = await client.chat.completions.create({
    ...{ model, messages: said(text), stream: true },
  });
  for await (const { choices } of stream) return choices[0]?.delta.content;
  return null;
}

async function responses(client: OpenAI) {
  const whole = await client.responses.create({ model, input: 'how are you' });
  const events = await client.responses.create({ model, input: 'how are you', stream: true });
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return [whole.output_text, whole.usage?.output_tokens, types];
}

async function embeddings(client: OpenAI) {
  const answer = await client.embeddings.create({ model, input: 'three words here' });
  return [answer.data[0]?.embedding, answer.usage.prompt_tokens];
}

async function images(client: OpenAI) {
  const made = await client.images.generate({ model, prompt: 'a cat' });
  const image = await toFile(Buffer.alloc(300_000, 'x'), 'cat.png', { type: 'image/png' });
  const edited = await client.images.edit({ model, prompt: 'a hat', image });
  return [made, edited].map(({ data }) =>
    Buffer.from(data?.[0]?.b64_json ?? '', 'base64').toString(),
  );
}

async function audio(client: OpenAI) {
  const file = await toFile(Buffer.alloc(700_000, 'x'), 'speech.wav', { type: 'audio/wav' });
  const heard = await client.audio.transcriptions.create({ model, file });
  const spoken = await client.audio.speech.create({ model, voice: 'alloy', input: 'hello' });
  return [heard.text, (await spoken.arrayBuffer()).byteLength];
}

async function models(client: OpenAI) {
  const found: string[][] = [];
  for await (const { id, owned_by } of client.models.list()) found.push([id, owned_by]);
  return found;
}

export async function calls(settings: SdkSettings) {
  const client = new OpenAI(settings);
  const other = new OpenAI({ ...settings, apiKey: 'no-such-token' });
  const once = new OpenAI({ ...settings, maxRetries: 0 });
  const text = await client.completions.create({ model, prompt: 'hello' });
  return {
    models: await models(client),
    chat: await chat(client, 'how are you'),
    stream: await streamed(client, 'how are you'),
    stopped: await stopped(client, 'endless'),
    completions: text.choices[0]?.text,
    embeddings: await embeddings(client),
    responses: await responses(client),
    images: await images(client),
    audio: await audio(client),
    unknown_model: await errorOf(() => chat(client, 'hello', 'cat')),
    unknown_token: await errorOf(() => chat(other, 'hello')),
    no_model: await errorOf(() => client.post('/chat/completions', { body: {} })),
    unavailable: await errorOf(() => chat(once, 'hello', 'absent')),
    refused: await errorOf(() => chat(client, 'please refuse')),
    overloaded: await errorOf(() => chat(once, 'javascript once overloaded')),
    retried: await chat(client, 'javascript overloaded'),
    broken: await errorOf(() => streamed(client, 'will break')),
    woken: await chat(client, 'good morning', 'sleeper'),
  };
}

/** With a token for one model and few tokens. */
export async function budget(settings: SdkSettings) {
  const client = new OpenAI(settings);
  const once = new OpenAI({ ...settings, maxRetries: 0 });
  return {
    other_model: await errorOf(() => chat(client, 'hello', 'sleeper')),
    within: await chat(client, 'one two three four five six'),
    beyond: await errorOf(() => chat(once, 'hello')),
  };
}
