/** Edge cases and invalid calls with the results of dstack 0.22.5, in order on one server. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestAnswer, type TestServer } from './testing/test-server.ts';

interface Case {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expect: Expectation;
}

interface Expectation {
  readonly status: number;
  readonly code?: string | null;
  readonly n?: number;
  readonly where?: readonly (string | number)[];
  readonly detail?: 'str' | 'dict';
  readonly keys?: readonly string[];
  readonly list?: number | null;
  readonly empty?: boolean;
}

const file = new URL('../../testdata/http/api-cases.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await server.call('/api/projects/create', { project_name: 'cases' });
});
afterAll(() => server.close());

function send({ method, path, body, raw, headers = {} }: Case): Promise<TestAnswer> {
  const given = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    value.replace('@TOKEN', server.token),
  ]);
  const all = Object.fromEntries(given) as Record<string, string>;
  const isAnonymous = all.authorization === '';
  if (isAnonymous) delete all.authorization;
  const token = isAnonymous ? null : server.token;
  return server.call(path, body ?? undefined, { method, headers: all, token, raw });
}

describe('calls of the wire contract', () => {
  it.each(cases)('$name', async (one) => {
    const answer = await send(one);
    const { status, code, n, where, detail, keys, list, empty } = one.expect;
    expect([answer.status, answer.text.slice(0, 300)]).toEqual([status, expect.anything()]);
    const found = answer.body?.detail;
    const [first] = Array.isArray(found) ? found : [];
    if (code !== undefined) expect('code' in first ? first.code : first.type).toBe(code);
    if (n !== undefined) expect(found).toHaveLength(n);
    // The offset in malformed JSON depends on the parser.
    if (where !== undefined && first.type !== 'json_invalid') expect(first.loc).toEqual(where);
    if (detail !== undefined) expect(typeof found).toBe(detail === 'str' ? 'string' : 'object');
    if (typeof list === 'number') expect(answer.body).toHaveLength(list);
    if (keys !== undefined) expect(keysOf(answer.body)).toEqual(keys);
    if (empty === true) expect(answer.text).toBe('null');
  });
});

/** Additions to run plans, stored secrets and what the server reports of itself. */
const OURS_OF_PLANS = [
  ...['notes', 'outlook', 'queue_place', 'expected_start', 'is_about'],
  ...['places', 'new_instances', 'preempts', 'quota', 'borrows'],
];
const OURS = [...OURS_OF_PLANS, 'upload_limit'];
const OURS_OF_EVENTS = ['action', 'data', 'outcome', 'actor_token', 'actor_address'];

/** The keys of the answer, or of the first element of a list; an empty list has none. */
function keysOf(body: unknown): string[] {
  const shown = Array.isArray(body) ? body[0] : body;
  if (typeof shown !== 'object' || shown === null) return [];
  const ours = 'recorded_at' in shown ? OURS_OF_EVENTS : OURS;
  return Object.keys(shown)
    .filter((key) => !ours.includes(key))
    .sort();
}
