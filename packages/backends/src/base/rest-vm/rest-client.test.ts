import { describe, expect, it } from 'vitest';
import { NoAnswerError } from '../errors.ts';
import { MissingThingError, type RefusalRule } from './refusals.ts';
import { RestClient } from './rest-client.ts';

const PROVIDERS = JSON.stringify({ code: 'gone', message: 'There is no such machine' });

/** Words by which providers without codes refuse. */
const RULES: readonly RefusalRule[] = [
  { text: /not available|unavailable/i, means: 'no-capacity' },
  { text: /quota|limit/i, means: 'quota' },
];

function clientWith(
  status: number,
  body: string | ReadableStream,
  rules: readonly RefusalRule[] = [],
): RestClient {
  return new RestClient({
    ...{ title: 'Cloud', endpoint: 'http://cloud', headers: () => ({}), rules },
    limiter: { turn: async () => {}, refused: () => {}, answered: () => {} },
    refusalIn: (answer) => {
      const { code, message } = (answer ?? {}) as Readonly<Record<string, unknown>>;
      return typeof code === 'string' ? { code, text: String(message) } : null;
    },
    fetch: async () => new Response(body, { status }),
  });
}

const errorOf = (status: number, body: string, rules?: readonly RefusalRule[]) =>
  clientWith(status, body, rules)
    .call({ method: 'DELETE', path: '/machines/1', kind: 'end' })
    .catch((error: unknown) => error);

describe('an answer that there is no such thing', () => {
  it('counts in the form of the provider', async () => {
    expect(await errorOf(404, PROVIDERS)).toBeInstanceOf(MissingThingError);
  });

  it('counts as no answer in any other form, as that of a proxy', async () => {
    for (const body of ['', '<html>Not Found</html>', '{"detail": "Not Found"}']) {
      expect(await errorOf(404, body)).toBeInstanceOf(NoAnswerError);
    }
  });
});

describe('words of a refusal', () => {
  const inForm = (message: string) => JSON.stringify({ code: 'error', message });
  const nameOf = async (status: number, body: string) =>
    ((await errorOf(status, body, RULES)) as Error).name;

  it('count in the form of the provider, whatever the status', async () => {
    expect(await nameOf(400, inForm('The plan is not available'))).toBe('NoCapacityError');
    expect(await nameOf(500, inForm('The plan is not available'))).toBe('NoCapacityError');
    expect(await nameOf(503, inForm('Quota exceeded'))).toBe('QuotaError');
  });

  it('do not count on a page or in a text of something in between', async () => {
    for (const body of [
      '<html><h1>503 Service Unavailable</h1>The server is not available</html>',
      'upstream connect error: not available, overflow limit',
      JSON.stringify({ detail: 'The service is unavailable' }),
    ]) {
      expect(await nameOf(503, body)).toBe('NoAnswerError');
    }
    expect(await nameOf(400, 'request line over the limit')).toBe('BackendError');
  });

  it('do not count when the provider itself is away', async () => {
    for (const text of ['Service unavailable', 'The API is temporarily not available']) {
      expect(await nameOf(503, inForm(text))).toBe('NoAnswerError');
    }
  });

  it('do not make a page with any status more than no answer', async () => {
    for (const status of [400, 401, 403, 422]) {
      expect(await nameOf(status, '\n<!DOCTYPE html>Access denied')).toBe('NoAnswerError');
    }
    expect(await nameOf(429, '<html>slow down</html>')).toBe('BusyError');
    expect(await nameOf(401, '')).toBe('CredentialsError');
  });
});

it('an answer is left once it is longer than any list', async () => {
  let isLeft = false;
  let sent = 0;
  const body = new ReadableStream({
    pull: (stream) => {
      if (sent === 100) stream.close();
      else stream.enqueue(new Uint8Array(1024 * 1024));
      sent += 1;
    },
    cancel: () => {
      isLeft = true;
    },
  });
  const asked = clientWith(200, body).call({ method: 'GET', path: '/machines', kind: 'look' });
  await expect(asked).rejects.toThrow(NoAnswerError);
  await expect(asked).rejects.toThrow('longer than 64 MiB');
  expect(isLeft).toBe(true);
});
