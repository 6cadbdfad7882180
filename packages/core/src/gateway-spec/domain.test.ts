import { GatewayConfiguration } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { prepareGateway } from './prepare.ts';

const prepared = (domain: string) =>
  prepareGateway(
    GatewayConfiguration.parse({
      ...{ name: 'edge', backend: 'remote', region: 'pool', domain, certificate: null },
    }),
    { maxReplicas: 1 },
  );

describe('the domain of a gateway', () => {
  it.each([
    ...['*.apps.test', 'apps.test', '*.APPS.Test', 'apps', '*.xn--bcher-kva.example'],
    ...['*.${{ run.project_name }}.apps.test', '${{run.project_name}}.apps.test'],
    '*.a-${{ run.project_name }}.apps.test',
  ])('may be %s', (domain) => expect(prepared(domain)).toEqual({ ok: true }));

  it.each([
    ...['foo bar.com', 'x.com; include /etc/passwd;', 'http://apps.test', 'apps.test:443'],
    ...['**.apps.test', '*.*.apps.test', 'a..test', '-a.test', 'b\u00fccher.example', 'x_y.test'],
    ...['127.0.0.1', '*.10.0.0.1', '[::1]', '~^(.*)$', `*.${'a'.repeat(64)}.test`, '*.apps.test/a'],
  ])('may not be %s: no service would be served there', (domain) => {
    expect(prepared(domain)).toMatchObject({
      ...{ ok: false, message: expect.stringMatching(/^`domain` must be a domain in DNS/) },
    });
  });
});
