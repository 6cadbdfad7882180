import { expect, test } from 'vitest';
import { serverUrl } from './server-url.ts';

test.each([
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
  ['https://dstack.example.com/', 'https://dstack.example.com'],
  ['http+unix://%2Frun%2Fx', 'http+unix://%2Frun%2Fx'],
])('%s is the server %s', (text, expected) => {
  expect(serverUrl(text, '--url')).toBe(expected);
});

test.each([
  ['notaurl', 'must begin with http'],
  ['ftp://a', 'must begin with http'],
  ['http://a:3000/projects/main', 'at the root'],
  ['http://a/?x=1', 'at the root'],
  ['http://ann:v4lue@a', 'by their tokens'],
])('%s is refused with the reason', (text, why) => {
  expect(() => serverUrl(text, '--url')).toThrow(
    expect.objectContaining({
      why: expect.stringContaining(why),
      message: expect.not.stringContaining('v4lue'),
    }),
  );
});
