import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { WebFiles } from './web-files.ts';

const INLINE = 'document.documentElement.dataset.theme = 1 < 2 ? "dark" : "light";';
const PAGE = `<meta property="csp-nonce" nonce="__CSP_NONCE__"><script>${INLINE}</script><script src="/assets/main-a1b2.js"></script><div id="root"></div>`;
const SCRIPT = `console.log(${JSON.stringify('x'.repeat(5000))});`;

let dir: string;
let server: TestServer;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dstack-web-'));
  await mkdir(join(dir, 'assets'));
  await mkdir(join(dir, '.vite'));
  const files: Record<string, string | Buffer> = {
    'index.html': PAGE,
    'plain.js': 'void 0;',
    'favicon.svg': '<svg/>',
    '.vite/manifest.json': '{}',
    'assets/main-a1b2.js': SCRIPT,
    'assets/main-a1b2.js.br': brotliCompressSync(SCRIPT),
    'assets/main-a1b2.js.gz': gzipSync(SCRIPT),
    'assets/inter-c3d4.woff2': Buffer.from([0, 1, 2]),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  server = await startTestServer({}, { webUi: await WebFiles.open(dir) });
});
afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

const get = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  server.app.inject({ method, url, headers });

describe('the page', () => {
  it.each(['/', '/runs', '/projects/main/runs/0b6f?tab=logs', '/auth/okta/callback?code=x'])(
    'is shown at %s',
    async (url) => {
      const answer = await get(url, BROWSER);
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(answer.body).toContain('<div id="root">');
    },
  );

  it('has a policy that allows its own files and styles with its nonce, a new one each time', async () => {
    const nonces = [];
    for (const answer of [await get('/'), await get('/')]) {
      const policy = String(answer.headers['content-security-policy']);
      const [, nonce = ''] = /style-src 'self' 'nonce-([\w-]{22})'/.exec(policy) ?? [];
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(answer.body).toContain(`nonce="${nonce}"`);
      expect(answer.headers['cache-control']).toBe('no-cache');
      nonces.push(nonce);
    }
    expect(nonces[0]).not.toBe(nonces[1]);
  });

  it('has a policy that allows the scripts which are written in it, and no others', async () => {
    const policy = String((await get('/')).headers['content-security-policy']);
    const hash = createHash('sha256').update(INLINE).digest('base64');
    expect(policy.split('; ')).toContain(`script-src 'self' 'sha256-${hash}'`);
  });

  it.each([
    ['/api/nonsense', BROWSER],
    ['/api', BROWSER],
    ['/proxy/nonsense', BROWSER],
    ['/mcp/nonsense', BROWSER],
    ['/schemas/nonsense.json', BROWSER],
    ['/assets/missing-0000.js', BROWSER],
    ['/runs', { accept: 'application/json' }],
    ['/runs', {}],
  ])('is not shown at %s with %j', async (url, headers) => {
    const answer = await get(url, headers as Record<string, string>);
    expect([answer.statusCode, answer.json()]).toEqual([404, { detail: 'Not Found' }]);
  });

  it('does not answer other methods', async () => {
    const answer = await server.app.inject({ method: 'POST', url: '/runs', headers: BROWSER });
    expect(answer.statusCode).toBe(405);
  });

  it('is not needed for the description of the API', async () => {
    const answer = await get('/api/docs', BROWSER);
    const policy = String(answer.headers['content-security-policy']);
    const [, nonce = ''] = /script-src 'nonce-([\w-]{22})'/.exec(policy) ?? [];
    expect(answer.body).toContain(`<script nonce="${nonce}">`);
    expect(answer.body).toContain(`<style nonce="${nonce}">`);
  });
});

describe('a file', () => {
  it.each([
    ['br, gzip', 'br', (bytes: Buffer) => brotliDecompressSync(bytes)],
    ['gzip, br;q=0', 'gzip', (bytes: Buffer) => gunzipSync(bytes)],
    ['identity', undefined, (bytes: Buffer) => bytes],
  ])('is sent compressed to those who accept %j', async (accepted, encoding, decode) => {
    const answer = await get('/assets/main-a1b2.js', { 'accept-encoding': accepted });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-encoding']).toBe(encoding);
    expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers.vary).toBe('accept-encoding');
    expect(decode(answer.rawPayload).toString()).toBe(SCRIPT);
  });

  it('with a hash in its name may be kept for ever', async () => {
    const answer = await get('/assets/inter-c3d4.woff2');
    expect(answer.headers['content-type']).toBe('font/woff2');
    expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  it('without one is checked again each time', async () => {
    const first = await get('/plain.js');
    expect(first.headers['cache-control']).toBe('no-cache');
    const again = await get('/plain.js', { 'if-none-match': String(first.headers.etag) });
    expect(again.statusCode).toBe(304);
    expect((await get('/favicon.svg')).headers['content-type']).toBe('image/svg+xml');
  });

  it('is that of the build with which the server started, whatever replaces it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'dstack-web-'));
    await mkdir(join(dir, 'assets'));
    await writeFile(join(dir, 'index.html'), '<script src="/assets/main-a1b2.js">');
    await writeFile(join(dir, 'assets/main-a1b2.js'), SCRIPT);
    const upgraded = await startTestServer({}, { webUi: await WebFiles.open(dir) });
    await rm(dir, { recursive: true });
    await mkdir(join(dir, 'assets'), { recursive: true });
    await writeFile(join(dir, 'index.html'), '<script src="/assets/main-e5f6.js">');
    await writeFile(join(dir, 'assets/main-e5f6.js'), 'new();');
    const page = await upgraded.app.inject({ method: 'GET', url: '/', headers: BROWSER });
    expect(page.body).toContain('/assets/main-a1b2.js');
    const script = await upgraded.app.inject({ method: 'GET', url: '/assets/main-a1b2.js' });
    expect([script.statusCode, script.body]).toEqual([200, SCRIPT]);
    await upgraded.close();
    await rm(dir, { recursive: true });
  });

  it('has a head', async () => {
    const answer = await get('/assets/main-a1b2.js', {}, 'HEAD');
    expect([answer.statusCode, answer.body]).toEqual([200, '']);
  });

  it.each([
    '/assets/../index.html',
    '/assets/%2e%2e/index.html',
    '/assets/..%2findex.html',
    '/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/assets//etc/passwd',
    '/.vite/manifest.json',
    '/assets/main-a1b2.js.br',
    '/assets/',
    '/assets/%00',
    '/index.html',
  ])('is not reached by %s', async (url) => {
    expect((await get(url)).statusCode).toBe(404);
  });
});

it('without a build there is none, and the root leads to the description of the API', async () => {
  expect(await WebFiles.open(join(dir, 'missing'))).toBeNull();
  const bare = await startTestServer();
  const answer = await bare.app.inject({ method: 'GET', url: '/', headers: BROWSER });
  expect([answer.statusCode, answer.headers.location]).toEqual([307, '/api/docs']);
  await bare.close();
});
