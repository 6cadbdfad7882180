import { StopJob } from '@dstack/contract/agent';
import { expect, it } from 'vitest';
import { AgentError } from '../jobs/agent-error.ts';
import { readBody } from './read-body.ts';

const STOP = { grace: true, reason: 'terminated_by_user', message: null };

async function* sent(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

it('reads a body that comes in parts, and ignores keys that are not known', async () => {
  const text = JSON.stringify({ ...STOP, added_later: 'é' });
  const bytes = Buffer.from(text);
  const parts = [bytes.subarray(0, 5), bytes.subarray(5, -3), bytes.subarray(-3)];
  expect(await readBody(sent(...parts), StopJob)).toEqual(STOP);
});

it.each([
  ['{', 400, 'bad_request', 'The body is not JSON'],
  ['', 400, 'bad_request', 'The body is not JSON'],
  ['{"grace":1}', 400, 'bad_request', 'The body is invalid: grace is not a boolean'],
])('refuses %j and names the problem', async (text, status, code, message) => {
  const error = await readBody(sent(text), StopJob).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AgentError);
  expect(error).toMatchObject({ status, code, message });
});

it('refuses a body over 16 MiB before it has come to its end', async () => {
  let asked = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      asked += 1;
      yield Buffer.alloc(1024 * 1024);
    }
  }
  await expect(readBody(endless(), StopJob)).rejects.toMatchObject({ status: 413 });
  expect(asked).toBe(17);
});
