import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('a connection loads no second HTTP client, which would double the time of a short command', () => {
  const exchange = new URL('node-exchange.ts', import.meta.url).href;
  const script = `import { nodeExchange } from ${JSON.stringify(exchange)};
    const request = { url: 'http://127.0.0.1:1/', method: 'GET', headers: {}, signal: AbortSignal.timeout(5000) };
    await nodeExchange()(request).catch(() => {});
    console.log(process.moduleLoadList.filter((name) => /undici$|_http_client$/.test(name)).join());`;
  const args = ['--no-warnings', '--input-type=module', '-e', script];
  const loaded = execFileSync(process.execPath, args, { encoding: 'utf8' });
  expect(loaded.trim()).toBe('NativeModule _http_client');
});
