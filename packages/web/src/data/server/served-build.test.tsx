import { afterEach, expect, it, vi } from 'vitest';
import { servedBuild } from './served-build.ts';

const pageOf = (script: string) =>
  new DOMParser().parseFromString(
    `<base href="http://dstack.test/"><script type="module" src="${script}"></script>`,
    'text/html',
  );

afterEach(() => vi.unstubAllGlobals());

const answer = (text: string, status = 200) =>
  vi.stubGlobal('fetch', async () => new Response(text, { status }));

it('recognises the own build and another one by the first script', async () => {
  answer('<script type="module" crossorigin src="/assets/index-B2.js"></script>');
  expect(await servedBuild(pageOf('/assets/index-B2.js'))).toBe('own');
  expect(await servedBuild(pageOf('/assets/index-B1.js'))).toBe('other');
});

it('claims nothing while the server does not answer, or answers with an error', async () => {
  answer('Bad gateway', 502);
  expect(await servedBuild(pageOf('/assets/index-B2.js'))).toBe('unknown');
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  expect(await servedBuild(pageOf('/assets/index-B2.js'))).toBe('unknown');
});
