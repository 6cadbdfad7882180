import { describe, expect, it } from 'vitest';
import { NoAnswerError } from '../errors.ts';
import { MissingThingError } from './refusals.ts';
import { RestClient } from './rest-client.ts';

const PROVIDERS = JSON.stringify({ code: 'gone', message: 'There is no such machine' });

function clientWith(status: number, body: string | ReadableStream): RestClient {
  return new RestClient({
    ...{ title: 'Cloud', endpoint: 'http://cloud', headers: () => ({}), rules: [] },
    limiter: { turn: async () => {}, refused: () => {}, answered: () => {} },
    refusalIn: (answer) => {
      const { code, message } = (answer ?? {}) as Readonly<Record<string, unknown>>;
      return typeof code === 'string' ? { code, text: String(message) } : null;
    },
    fetch: async () => new Response(body, { status }),
  });
}

const errorOf = (status: number, body: string) =>
  clientWith(status, body)
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
