/** The rules of https://kubernetes.io/docs/concepts/services-networking/ingress, with a real nginx. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../free-port.ts';
import { listens, Nginx } from './ingress-controller.ts';
import type { Ingress, IngressPath, IngressRule, Secret, Service } from './ingress-objects.ts';

const isMissing = !existsSync('/usr/sbin/nginx');
if (isMissing) console.warn('The Ingress controller is NOT tested: nginx is missing');

describe.skipIf(isMissing && !process.env.CI)('the rules of an Ingress', () => {
  let folder: string;
  let nginx: Nginx;
  let process: ReturnType<Nginx['start']>;
  let [http, https] = [0, 0];
  const servers: Server[] = [];
  const services: Service[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ingress-'));
    [http, https] = [await freePort(), await freePort()];
    nginx = new Nginx({
      ...{ className: 'ours', folder: join(folder, 'nginx') },
      ...{ http: `127.0.0.1:${http}`, https: `127.0.0.1:${https}` },
    });
    for (const name of ['one', 'two', 'three']) {
      const server = createServer(({ url, headers: { host } }, response) =>
        response.end(`${name} ${host} ${url}`),
      );
      await once(server.listen(0, '127.0.0.1'), 'listening');
      servers.push(server);
      const { port } = server.address() as AddressInfo;
      const metadata = { name, namespace: 'default' };
      services.push({ metadata, spec: { clusterIP: '127.0.0.1', ports: [{ name: 'web', port }] } });
    }
    nginx.write({ ingresses: [], services, secrets: [] });
    process = nginx.start();
    await listens('127.0.0.1', http);
  });
  afterAll(async () => {
    process.kill();
    await once(process, 'close');
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true });
  });

  let steps = 0;
  /** Resolves once nginx has these rules, beside one that names them. */
  async function apply(spec: Ingress['spec'], secrets: readonly Secret[] = []): Promise<void> {
    const mark = `step-${++steps}.test`;
    const metadata = { name: 'a', namespace: 'default' };
    const rules = [...(spec.rules ?? []), rule(mark, [['Prefix', '/', 'one']])];
    const ours = { metadata, spec: { ingressClassName: 'ours', ...spec, rules } };
    nginx.write({ ingresses: [ours], services, secrets });
    await vi.waitFor(async () => {
      expect(await ask(mark, '/mark')).toBe(`one ${mark} /mark`);
      // The worker with the rules before these may still accept connections.
      const workers = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
      expect(workers.trim().split(' ')).toHaveLength(1);
    }, 10_000);
  }

  const ask = (host: string, path: string): Promise<string | number> =>
    new Promise((resolve, reject) => {
      const options = { port: http, path, headers: { host }, agent: false as const };
      const sent = request(options, (response) => {
        const { statusCode = 0 } = response;
        text(response).then((body) => resolve(statusCode === 200 ? body : statusCode), reject);
      });
      sent.on('error', reject).end();
    });
  const service = async (host: string, path: string) => {
    const answer = await ask(host, path);
    return typeof answer === 'string' ? answer.split(' ')[0] : answer;
  };

  it.each<readonly [string, readonly Path[], string, string | number]>([
    ['Prefix / matches all paths', [['Prefix', '/', 'one']], '/any/path', 'one'],
    ['Exact /foo matches /foo', [['Exact', '/foo', 'one']], '/foo', 'one'],
    ['Exact /foo does not match /bar', [['Exact', '/foo', 'one']], '/bar', 404],
    ['Exact /foo does not match /foo/', [['Exact', '/foo', 'one']], '/foo/', 404],
    ['Exact /foo/ does not match /foo', [['Exact', '/foo/', 'one']], '/foo', 404],
    [
      'Exact /foo/ leaves /foo to a prefix',
      [
        ['Prefix', '/', 'one'],
        ['Exact', '/foo/', 'two'],
      ],
      '/foo',
      'one',
    ],
    ['Prefix /foo matches /foo', [['Prefix', '/foo', 'one']], '/foo', 'one'],
    ['Prefix /foo matches /foo/', [['Prefix', '/foo', 'one']], '/foo/', 'one'],
    ['Prefix /foo/ matches /foo', [['Prefix', '/foo/', 'one']], '/foo', 'one'],
    ['Prefix /aaa/bb does not match /aaa/bbb', [['Prefix', '/aaa/bb', 'one']], '/aaa/bbb', 404],
    ['Prefix /aaa/bbb/ matches /aaa/bbb', [['Prefix', '/aaa/bbb/', 'one']], '/aaa/bbb', 'one'],
    ['Prefix /aaa/bbb matches what is below', [['Prefix', '/aaa/bbb', 'one']], '/aaa/bbb/c', 'one'],
    ['Prefix /aaa/bbb is no prefix of words', [['Prefix', '/aaa/bbb', 'one']], '/aaa/bbbxyz', 404],
    [
      'the longest prefix wins',
      [
        ['Prefix', '/', 'one'],
        ['Prefix', '/aaa', 'two'],
        ['Prefix', '/aaa/bbb', 'three'],
      ],
      '/aaa/bbb',
      'three',
    ],
    [
      'Exact wins over Prefix',
      [
        ['Prefix', '/foo', 'one'],
        ['Exact', '/foo', 'two'],
      ],
      '/foo',
      'two',
    ],
    ['a service that is not there answers nothing', [['Prefix', '/', 'four']], '/', 404],
  ])('%s', async (_, paths, path, expected) => {
    await apply({ rules: [rule('foo.test', paths)] });
    expect(await service('foo.test', path)).toBe(expected);
  });

  it('match a host, one label of a wildcard, and any host where none is named', async () => {
    await apply({
      rules: [
        rule('*.foo.test', [['Prefix', '/', 'one']]),
        rule('own.foo.test', [['Prefix', '/', 'two']]),
      ],
    });
    expect(await service('bar.foo.test', '/')).toBe('one');
    expect(await service('own.foo.test', '/')).toBe('two');
    expect(await service('baz.bar.foo.test', '/')).toBe(404);
    expect(await service('foo.test', '/')).toBe(404);
    await apply({ rules: [rule(undefined, [['Prefix', '/', 'three']])] });
    expect(await service('anything.test', '/')).toBe('three');
  });

  it('lead what matches no rule to the default backend, with path and host as they came', async () => {
    const backend = { service: { name: 'two', port: { name: 'web' } } };
    await apply({ defaultBackend: backend, rules: [rule('foo.test', [['Exact', '/a', 'one']])] });
    expect(await ask('foo.test', '/a?b=%20c')).toBe('one foo.test /a?b=%20c');
    expect(await ask('foo.test:80', '/b/../%2Fc')).toBe('two foo.test:80 /b/../%2Fc');
    expect(await service('other.test', '/')).toBe('two');
  });

  it('name a port by its number as well, and only Ingress objects of the class count', async () => {
    const number = services[1]?.spec.ports?.[0]?.port ?? 0;
    const backend = { service: { name: 'two', port: { number } } };
    const paths: IngressPath[] = [{ path: '/', pathType: 'Prefix', backend }];
    await apply({ rules: [{ host: 'foo.test', http: { paths } }] });
    expect(await service('foo.test', '/')).toBe('two');
    const spec = { rules: [rule('theirs.test', [['Prefix', '/', 'one']])] };
    const metadata = { name: 'b', namespace: 'default' };
    const theirs = { metadata, spec: { ingressClassName: 'theirs', ...spec } };
    nginx.write({ ingresses: [theirs], services, secrets: [] });
    await vi.waitFor(async () => expect(await service('foo.test', '/')).toBe(404), 10_000);
    expect(await service('theirs.test', '/')).toBe(404);
  });

  it('end TLS with the certificate of a secret, for the hosts that name it', async () => {
    const [key, crt] = [join(folder, 'key'), join(folder, 'crt')];
    const subject = ['-subj', '/CN=foo.test', '-addext', 'subjectAltName=DNS:foo.test'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', crt], {
      stdio: 'ignore',
    });
    const data = {
      'tls.crt': readFileSync(crt).toString('base64'),
      'tls.key': readFileSync(key).toString('base64'),
    };
    const secret = { metadata: { name: 'cert', namespace: 'default' }, data };
    const rules = ['foo.test', 'bar.test'].map((host) => rule(host, [['Prefix', '/', 'one']]));
    await apply({ tls: [{ hosts: ['foo.test'], secretName: 'cert' }], rules }, [secret]);
    const secured = (host: string) =>
      new Promise<string>((resolve, reject) => {
        const trust = { ca: readFileSync(crt), servername: host, headers: { host } };
        const options = { port: https, path: '/', agent: false as const, ...trust };
        const sent = requestTls(options, (response) => text(response).then(resolve, reject));
        sent.on('error', reject).end();
      });
    expect(await secured('foo.test')).toBe('one foo.test /');
    await expect(secured('bar.test')).rejects.toThrow();
  });
});

type Path = readonly ['Exact' | 'Prefix', string, string];

function rule(host: string | undefined, paths: readonly Path[]): IngressRule {
  const http = {
    paths: paths.map(([pathType, path, name]) => ({
      ...{ path, pathType },
      backend: { service: { name, port: { name: 'web' } } },
    })),
  };
  return host === undefined ? { http } : { host, http };
}
