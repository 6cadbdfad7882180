/** A worker loads its code before a request needs it, as its files may be replaced while it runs. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const WORKER = JSON.stringify(new URL('./service-worker.ts', import.meta.url));

const script = (format: string) => `
import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    if (url.endsWith('/tgi-model.ts')) console.log('loaded');
    return next(url, context);
  },
});
const { ServiceWorker } = await import(${WORKER});
const worker = new ServiceWorker({
  link: { isAlone: true, onPresent() {}, notify() {}, ask: async () => null },
  spools: { uses: '/nonexistent', counts: '/nonexistent' },
  addressOf: () => '', maxAgeMs: () => 0, tokens: [], onHosts() {}, onServices() {}, now: () => 0,
  log: { debug() {}, info() {}, warn() {}, error() {} },
});
const route = { runId: 'chat', runName: 'chat', projectName: 'main', replicas: [] };
const service = { route, served: { model: { name: 'm', format: '${format}' } } };
worker.take({ routes: [{ runId: 'chat', service, hosts: {} }], grants: [] });
`;

const loadedWith = (format: string) => {
  const args = ['--no-warnings', '--input-type=module', '-e', script(format)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { stderr, stdout: stdout.trim() };
};

it('a worker loads the translation with the first model that needs it, and with no other', () => {
  expect(loadedWith('tgi')).toEqual({ stderr: '', stdout: 'loaded' });
  expect(loadedWith('openai')).toEqual({ stderr: '', stdout: '' });
});
