/** OpenAI's SDKs against the models of a project. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { pythonEnvironment } from '@dstack/testkit/python-environment';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation } from '../installation.ts';
import { budget, calls } from './sdk.ts';

const engine = join(import.meta.dirname, 'engine.ts');
const program = join(import.meta.dirname, 'sdk.py');
const root = resolve(import.meta.dirname, '..', '..');
const python = pythonEnvironment('openai==3.57.0', 'openai-sdk/3.57.0');
if (python.path === null) console.warn(`The Python SDK is NOT tested: ${python.missing}`);

const run = promisify(execFile);
let home: Installation;
beforeAll(async () => {
  home = newInstallation();
  await home.startServer();
  await applyFleet(home, '0..3');
  await serve('parrot', 'replicas: 1');
  await serve('sleeper', 'replicas: 0..1\nscaling: {metric: rps, target: 1}');
  await serve('absent', 'replicas: 0');
  await home.ok('wait', 'parrot', '--for', 'running');
});
afterAll(() => home?.dispose());

async function serve(name: string, replicas: string): Promise<void> {
  const command = `exec ${jobProgram(engine)}`;
  const yaml = `type: service\nname: ${name}\nmodel: ${name}\nport: 8000\ncommands: ['${command}']\n`;
  const more = `resources: {gpu: 0}\n${replicas}\n`;
  await home.ok('apply', '-f', configuration(home, `${name}.yml`, yaml + more), '-y', '-d');
}

type Calls = Readonly<Record<string, unknown>>;
interface Sdk {
  calls(token: string): Promise<Calls>;
  budget(token: string): Promise<Calls>;
}

const baseURL = () => `${home.url}/proxy/models/main/v1`;

const javaScript: Sdk = {
  calls: (apiKey) => calls({ baseURL: baseURL(), apiKey }),
  budget: (apiKey) => budget({ baseURL: baseURL(), apiKey }),
};

const pythonProgram = async (part: string, token: string): Promise<Calls> => {
  const env = { ...home.env, BASE_URL: baseURL(), API_KEY: token };
  const { stdout } = await run(join(python.path ?? '', 'bin', 'python'), [program, part], { env });
  return JSON.parse(stdout);
};

const pythonSdk: Sdk = {
  calls: (token) => pythonProgram('calls', token),
  budget: (token) => pythonProgram('budget', token),
};

const SDKS: readonly (readonly [string, Sdk])[] = [
  ['JavaScript', javaScript],
  ...(python.path === null ? [] : [['Python', pythonSdk] as const]),
];

const refusal = (name: string, status: number, code: string | null, message: unknown) => ({
  ...{ class: name, status, code, message, waits: false, has_request_id: true },
});

const EXPECTED = {
  models: [
    ['sleeper', 'main'],
    ['parrot', 'main'],
  ],
  chat: 'HOW ARE YOU',
  stream: ['HOW', 'ARE', 'YOU', 3],
  stopped: 'ENDLESS',
  completions: 'HELLO',
  embeddings: [[0.5, 3], 3],
  responses: [
    ...['HOW ARE YOU', 3],
    ['response.created', ...Array(3).fill('response.output_text.delta'), 'response.completed'],
  ],
  images: ['a cat', 'a hat on cat.png, 300000 bytes'],
  audio: ['speech.wav: 700000 bytes', 100_000],
  unknown_model: refusal(
    ...(['NotFoundError', 404, 'model_not_found', 'Model cat not found in project main'] as const),
  ),
  unknown_token: refusal(
    ...(['PermissionDeniedError', 403, null] as const),
    'Unauthenticated or unauthorized to access project main',
  ),
  no_model: refusal('UnprocessableEntityError', 422, null, expect.any(String)),
  unavailable: {
    ...refusal(
      'InternalServerError',
      503,
      'scaled_to_zero',
      expect.stringContaining('scaled to 0'),
    ),
    waits: true,
  },
  refused: refusal('BadRequestError', 400, 'refused', 'this engine refuses'),
  overloaded: {
    ...refusal('InternalServerError', 503, null, 'this engine is overloaded'),
    waits: true,
  },
  // An SDK that waits for less time needs more attempts.
  retried: 'attempts: 2',
  broken: { class: 'APIError', message: expect.stringContaining('The answer is incomplete') },
  woken: 'GOOD MORNING',
};

describe.each(SDKS)("OpenAI's SDK for %s", (name, sdk) => {
  it('uses every kind of model, and raises its own errors', async () => {
    const used = await counted();
    expect(await sdk.calls(home.token())).toEqual(EXPECTED);
    // The stream that the program leaves is counted when the server has seen it.
    while ((await counted()).aborted - used.aborted < 2);
    const now = await counted();
    expect({ requests: now.requests - used.requests, tokens: now.tokens - used.tokens }).toEqual({
      requests: 14,
      tokens: TOKENS,
    });
    await home.ok('stop', 'sleeper', '-y', '--wait');
    await serve('sleeper', 'replicas: 0..1\nscaling: {metric: rps, target: 1}');
  });

  it('keeps to the models and the budget of its token', async () => {
    const limits = ['--model', 'parrot', '--tokens-per-day', '10'];
    const token = (await home.ok('token', 'create', name.toLowerCase(), ...limits)).trim();
    expect(await sdk.budget(token)).toEqual({
      other_model: refusal(
        ...(['PermissionDeniedError', 403, 'model_not_allowed', expect.any(String)] as const),
      ),
      within: 'ONE TWO THREE FOUR FIVE SIX',
      beyond: {
        ...refusal('RateLimitError', 429, 'insufficient_quota', expect.stringContaining('10')),
        waits: true,
      },
    });
  });

  it('is used as the guide shows', async () => {
    const guide = readFileSync(join(root, 'docs', 'services.md'), 'utf8');
    const fence = name === 'Python' ? 'python' : 'js';
    const [, example = ''] = new RegExp(`\`\`\`${fence}\n([^]*?)\`\`\``).exec(guide) ?? [];
    const text = example.replaceAll('meta-llama/Llama-3.1-8B-Instruct', 'parrot');
    const env = { ...home.env, DSTACK_SERVER_URL: home.url, DSTACK_TOKEN: home.token() };
    const [file, ...args] =
      name === 'Python'
        ? [join(python.path ?? '', 'bin', 'python'), '-c', text]
        : [process.execPath, '--input-type=module', '-e', text];
    const { stdout } = await run(file ?? '', args, { env, cwd: root });
    expect(stdout.trim()).toBe('HELLO');
  });
});

/**
 * Words that the engine has reported: two chats, completion, embedding, two responses, two images, audio,
 * the repeated and the waking chat. Of the two streams that end early, the events.
 */
const TOKENS = 6 + 6 + 2 + 3 + 12 + 24 + 5 + 4 + 4 + (1 + 2);

async function counted() {
  const { usage } = JSON.parse(await home.ok('usage', '--json')) as {
    usage: readonly Readonly<Record<string, number>>[];
  };
  const sum = (field: string) => usage.reduce((total, row) => total + (row[field] ?? 0), 0);
  const tokens = sum('prompt_tokens') + sum('completion_tokens');
  return { requests: sum('requests'), aborted: sum('aborted'), tokens };
}
