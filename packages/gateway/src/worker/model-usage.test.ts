import { expect, it } from 'vitest';
import { withUsage } from './model-usage.ts';

it.each([
  ['chat/completions', '{"stream":true, "model":"m"}', true],
  ['chat/completions', '{"stream":true,"stream_options":{}}', false],
  ['chat/completions', '{"stream":false}', false],
  ['responses', '{"stream":true}', false],
  ['chat/completions', 'nonsense', false],
])('asks for the usage of a stream at %s with %s: %s', (path, text, hidesUsage) => {
  const metered = withUsage(path, Buffer.from(text));
  expect(metered.hidesUsage).toBe(hidesUsage);
  const added = ',"stream_options":{"include_usage":true}';
  const expected = hidesUsage ? text.replace(/}$/, `${added}}`) : text;
  expect(metered.body.toString()).toBe(expected);
});
