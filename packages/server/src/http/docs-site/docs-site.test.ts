import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let site: string;

const get = (url: string) => server.app.inject({ url });

beforeAll(async () => {
  site = join(await mkdtemp(join(tmpdir(), 'dstack-docs-')), 'docs');
  server = await startTestServer({}, { docsSite: site });
});
afterAll(async () => {
  await server.close();
  await rm(join(site, '..'), { recursive: true });
});

describe('the documentation', () => {
  it('that is not built is answered with the command that builds it', async () => {
    const answer = await get('/docs');
    expect([answer.statusCode, answer.json().detail]).toEqual([
      404,
      'The documentation is not built. Build it with: npm run build -- docs',
    ]);
  });

  it('that cannot be read is read again by the next request', async () => {
    // A file instead of a folder, as the system can refuse a folder for a while.
    await writeFile(site, '');
    expect((await get('/docs')).statusCode).toBe(500);
    await rm(site);
    expect((await get('/docs')).statusCode).toBe(404);
  });

  it('is found once it is built, with and without a slash, without a token', async () => {
    await mkdir(join(site, 'guides', 'ci'), { recursive: true });
    await mkdir(join(site, '_astro'));
    await writeFile(join(site, 'index.html'), 'home');
    await writeFile(join(site, '404.html'), 'missing');
    await writeFile(join(site, 'guides', 'ci', 'index.html'), 'about CI');
    await writeFile(join(site, '_astro', 'x.1234.css'), 'a{}');
    for (const url of ['/docs', '/docs/', '/docs?x']) {
      expect([url, (await get(url)).body]).toEqual([url, 'home']);
    }
    for (const url of ['/docs/guides/ci', '/docs/guides/ci/', '/docs/guides/ci?q=1']) {
      const answer = await get(url);
      expect([url, answer.statusCode, answer.body]).toEqual([url, 200, 'about CI']);
    }
  });

  it('has a policy of its own, and files whose names have a hash stay in caches', async () => {
    const page = await get('/docs/guides/ci');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.headers['content-security-policy']).toContain("'wasm-unsafe-eval'");
    expect(page.headers['cache-control']).toBe('no-cache');
    const style = await get('/docs/_astro/x.1234.css');
    expect(style.headers['cache-control']).toContain('immutable');
    expect(style.headers['content-type']).toContain('text/css');
  });

  it.each(['/docs/none', '/docs/../package.json', '/docs/%2e%2e/test.db', '/docs/%E0%A4%A'])(
    'has no page %s',
    async (url) => {
      const answer = await get(url);
      expect(answer.statusCode).toBe(404);
      expect(answer.body).not.toContain('"name"');
    },
  );
});
