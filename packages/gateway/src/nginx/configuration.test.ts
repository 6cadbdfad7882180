import { expect, it } from 'vitest';
import { nginxConfiguration } from './configuration.ts';

const OPTIONS = {
  ...{
    runtime: '/run/edge',
    httpPort: 80,
    httpsPort: 443,
    maxBody: 0,
    hsts: 0,
    workers: ['/run/a.sock'],
  },
  ...{ acmeProof: null, acmeSocket: null, streamModule: null, user: null, hasIpv6: false },
  hasHttp2Directive: true,
  plain: null,
};

it('keeps certificates in memory where nginx can', () => {
  const cache = /^ {4}ssl_certificate_cache max=\d+ inactive=\d+h valid=\d+s;$/m;
  expect(nginxConfiguration({ ...OPTIONS, hasCertificateCache: true })).toMatch(cache);
  expect(nginxConfiguration({ ...OPTIONS, hasCertificateCache: false })).not.toMatch(cache);
});

it('passes on no header of the connection of an app, which clients of HTTP/2 refuse', () => {
  const plain = { modules: [], folder: '/run/edge/lua', timeoutMs: 1000 };
  const written = nginxConfiguration({ ...OPTIONS, hasCertificateCache: false, plain });
  expect(written).toContain('proxy_hide_header Upgrade;');
});

it('has browsers ask by HTTPS alone where that is set', () => {
  const header = /^ {4}add_header Strict-Transport-Security \$dstack_hsts always;$/m;
  const options = { ...OPTIONS, hasCertificateCache: false };
  expect(nginxConfiguration({ ...options, hsts: 3600 })).toMatch(header);
  expect(nginxConfiguration({ ...options, hsts: 3600 })).toContain('"" "max-age=3600";');
  expect(nginxConfiguration(options)).not.toContain('Strict-Transport-Security');
});
