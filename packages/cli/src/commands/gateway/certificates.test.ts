import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BASE } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';

const certificate = {
  ...{ domain: 'web.apps.example.com', source: 'file', state: 'valid', message: null },
  ...{ expires_at: '2027-02-01T12:00:00+00:00', renews_at: null },
};
const failed = {
  ...{ domain: 'api.apps.example.com', source: 'acme', state: 'failed', expires_at: null },
  ...{ renews_at: '2026-11-24T15:05:00+00:00', message: 'DNS has no address' },
};
const gateway = {
  ...{ name: 'edge', project_name: 'main', status: 'running', hostname: null, default: false },
  configuration: { backend: 'remote', region: 'pool', domain: 'apps.example.com' },
  wildcard_domain: 'apps.example.com',
  created_at: '2026-11-23T15:00:00Z',
  replicas: [],
  certificates: [certificate, failed],
};

test('a certificate is set from two files, and its state is shown', () =>
  withDirectory(async (cwd) => {
    const sent: unknown[] = [];
    const fake = await startFakeServer({
      [`POST ${BASE}/gateways/set_certificate`]: ({ body }) => {
        sent.push(body);
        return { json: gateway };
      },
    });
    await writeFile(join(cwd, 'fullchain.pem'), 'CERTIFICATE\n');
    await writeFile(join(cwd, 'privkey.pem'), 'KEY\n');
    const set = ['gateway', 'certificate', 'set', 'edge', '--cert', 'fullchain.pem'];
    const options = { env: serverEnv(fake.url), cwd };
    const { code, out, err } = await runCommand([...set, '--key', 'privkey.pem'], options);
    expect([code, err]).toEqual([0, 'The certificate of gateway edge was set\n']);
    expect(sent).toEqual([{ name: 'edge', certificate: 'CERTIFICATE\n', key: 'KEY\n' }]);
    expect(out).toMatch(/ web\.apps\.example\.com +file +valid +2027-02-01 /);
    expect(out).toMatch(
      / api\.apps\.example\.com +acme +failed +2026-11-24 15:05 UTC +DNS has no address/,
    );
    const json = await runCommand([...set, '--key', 'privkey.pem', '--json'], options);
    expect(JSON.parse(json.out).certificates).toEqual([certificate, failed]);
    const missing = await runCommand([...set, '--key', 'nosuch.pem'], options);
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(
      /^error: nosuch\.pem cannot be read\n.*\n +next: pass the PEM file with the private key\n$/,
    );
    expect((await runCommand(set, options)).code).toBe(2);
  }));

test('what has failed is requested again, and replicas that do not answer are named', async () => {
  const answers = [
    { domains: ['*.apps.test'], unanswered: [1] },
    { domains: [], unanswered: [] },
    { domains: [], unanswered: [0, 1] },
  ];
  const sent: unknown[] = [];
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/renew_certificates`]: ({ body }) => {
      sent.push(body);
      return { json: answers.shift() };
    },
  });
  const options = { env: serverEnv(fake.url) };
  const renew = ['gateway', 'certificate', 'renew', 'edge'];
  const first = await runCommand(renew, options);
  expect(first.code).toBe(0);
  expect(first.err).toMatch(/Replica 1 of edge does not answer\n.*again: \*\.apps\.test\./);
  const none = await runCommand([...renew, 'web.apps.test'], options);
  expect([none.code, none.err]).toEqual([0, 'No certificate for web.apps.test has failed\n']);
  expect((await runCommand(renew, options)).code).toBe(1);
  expect(sent).toEqual([
    { name: 'edge', domain: null },
    { name: 'edge', domain: 'web.apps.test' },
    { name: 'edge', domain: null },
  ]);
});

test('certificates are deleted after a question', async () => {
  const sent: unknown[] = [];
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/delete_certificate`]: ({ body }) => {
      sent.push(body);
      return { json: { ...gateway, certificates: [] } };
    },
  });
  const options = { env: serverEnv(fake.url) };
  const remove = ['gateway', 'certificate', 'delete', 'edge'];
  expect((await runCommand(remove, { ...options, input: 'n\n' })).err).toContain('Exiting...');
  expect((await runCommand([...remove, '*.apps.example.com', '-y'], options)).code).toBe(0);
  expect((await runCommand([...remove, '-y'], options)).code).toBe(0);
  expect(sent).toEqual([
    { name: 'edge', domain: '*.apps.example.com' },
    { name: 'edge', domain: null },
  ]);
});

test('the list counts certificates by state', async () => {
  const fake = await startFakeServer({ [`POST ${BASE}/gateways/list`]: { json: [gateway] } });
  const { out } = await runCommand(['gateway'], { env: serverEnv(fake.url) });
  expect(out).toMatch(/STATUS +CERTIFICATES\n.*running +1 valid, 1 failed\n/);
});

test('one gateway is shown with its services, their names and certificates', async () => {
  const services = [
    {
      ...{ project_name: 'main', run_name: 'web' },
      urls: ['https://web.apps.example.com', 'https://chat.example.com'],
    },
    { project_name: 'lab', run_name: 'embed', urls: ['https://embed.apps.example.com'] },
  ];
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/list`]: { json: [gateway] },
    [`POST ${BASE}/gateways/get`]: { json: { ...gateway, services } },
  });
  const options = { env: serverEnv(fake.url) };
  const { out } = await runCommand(['gateway', 'get', 'edge'], options);
  expect(out).toMatch(
    /\n SERVICE +ADDRESS *\n web +https:\/\/web\.apps\.example\.com *\n +https:\/\/chat\.example\.com *\n lab\/embed +https:/,
  );
  expect(out).toMatch(/ CERTIFICATE /);
  const json = await runCommand(['gateway', 'get', 'edge', '--json'], options);
  expect(JSON.parse(json.out).services).toEqual(services);
});
