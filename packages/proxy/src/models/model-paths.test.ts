import { expect, it } from 'vitest';
import { isUseOfModel } from './model-paths.ts';

it.each([
  ...['/v1/chat/completions', '/v1/chat/completions?x=1', '/v1/embeddings', '/v1/messages'],
  // As many apps, and nginx before them, read the path.
  ...['/v1/chat/%63ompletions', '/%761/chat/completions', '/v1/chat%2Fcompletions'],
  ...['//v1//chat/completions', '/v1/chat/completions/', '/v1/./chat/completions'],
  ...['/x/../v1/chat/completions', '/x/%2e%2e/v1/chat/completions'],
])('a request to %s of its service uses the model', (target) => {
  expect(isUseOfModel(target, '/v1')).toBe(true);
  expect(isUseOfModel(target, '/v1/')).toBe(true);
});

it.each([
  ...[
    '/',
    '/v1',
    '/v1/',
    '/v1/models',
    '/v1/files',
    '/v1/messages/count_tokens',
    '/chat/completions',
  ],
  ...['/v1/chat', '/v1/chat/completions/x', '/?/v1/chat/completions', '/v2/chat/completions'],
  ...['/v1/chat/%completions', '/v1/chat/completions/..', '/%zz/v1/chat/completions'],
])('a request to %s does not', (target) => {
  expect(isUseOfModel(target, '/v1')).toBe(false);
});

it('a model may be at the root of its service', () => {
  expect(isUseOfModel('/chat/completions', '/')).toBe(true);
  expect(isUseOfModel('/v1/chat/completions', '/')).toBe(true);
});
