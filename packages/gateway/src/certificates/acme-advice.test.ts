import { expect, it } from 'vitest';
import { explainAcmeError } from './acme-advice.ts';

const invalid = (type: string, detail: string) =>
  JSON.stringify({
    ...{ status: 'invalid', identifier: { type: 'dns', value: 'web.apps.test' } },
    challenges: [
      {
        type: 'http-01',
        status: 'invalid',
        error: { type: `urn:ietf:params:acme:error:${type}`, detail },
      },
    ],
  });

it.each([
  [
    invalid('connection', 'Fetching http://web.apps.test/x: Connection refused'),
    /^Fetching http:\S+ Connection refused\. Port 80 of every address .* web\.apps\.test \(A and AAAA\)/,
  ],
  [
    invalid('unauthorized', 'Invalid response from http://web.apps.test: 404'),
    /404\. Another web server/,
  ],
  [
    invalid('dns', 'NXDOMAIN looking up A for web.apps.test'),
    /records may be new; this is repeated$/,
  ],
  [
    invalid('caa', 'CAA record for apps.test prevents issuance'),
    /issuance\. Add the authority to the CAA records of apps\.test/,
  ],
  ['ACME server requires external account binding.', /binding\. Set DSTACK_ACME_EAB_KID/],
  [
    'too many certificates already issued for apps.test',
    /one certificate for all names: \*\.apps\.test$/,
  ],
  ['The server will not issue for the identifier', /Use another domain, or set a certificate/],
  ['https://acme cannot be used: connect ECONNREFUSED', /ECONNREFUSED\. Check DSTACK_ACME_SERVER/],
  [
    'https://acme cannot be used: unable to get local issuer certificate',
    /Set DSTACK_ACME_CA_FILE/,
  ],
])('explains %s', (error, expected) => {
  expect(explainAcmeError('web.apps.test', error)).toMatch(expected);
});

it('passes other errors on in one short line', () => {
  expect(explainAcmeError('web.apps.test', 'out of\n luck')).toBe('out of luck');
  expect(explainAcmeError('web.apps.test', '{"half')).toBe('{"half');
  expect(explainAcmeError('web.apps.test', 'x'.repeat(9000))).toHaveLength(500);
});
