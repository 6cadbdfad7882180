import { BackendConfigWithCreds } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { checkBackendConfig } from './check.ts';

const PEM = '-----BEGIN PRIVATE KEY-----\nkey\n-----END PRIVATE KEY-----\n';
const ACCOUNT = JSON.stringify({ client_email: 'a@b', private_key: PEM });
const KUBECONFIG = 'clusters: [{name: a}]\ncontexts: [{name: a}]\n';

const check = (config: object, defaultCredentials = true, serverFiles = true) =>
  checkBackendConfig(BackendConfigWithCreds.parse(config), { defaultCredentials, serverFiles });

const gcp = (data: string) => ({
  ...{ type: 'gcp', project_id: 'p' },
  creds: { type: 'service_account', filename: '', data },
});
const kubernetes = (data: string) => ({ type: 'kubernetes', kubeconfig: { filename: '', data } });
const oci = (key_content: string | null) => ({
  type: 'oci',
  creds: {
    ...{ type: 'client', user: 'u', tenancy: 't', fingerprint: 'f', region: 'r' },
    ...{ key_file: null, key_content, pass_phrase: null },
  },
});
const nebius = (private_key_content: string) => ({
  type: 'nebius',
  creds: {
    ...{ type: 'service_account', service_account_id: 'a', public_key_id: 'k' },
    ...{ private_key_file: null, private_key_content },
  },
});
const slurm = (...keys: string[]) => ({
  type: 'slurm',
  clusters: keys.map((content, index) => ({
    ...{ name: `c${index}`, hostname: 'h', user: 'u' },
    private_key: { path: '', content },
  })),
});

describe('the configuration of a backend', () => {
  it.each([
    gcp(ACCOUNT),
    kubernetes(KUBECONFIG),
    oci(PEM),
    nebius(PEM),
    slurm(PEM),
    { type: 'lambda', creds: { type: 'api_key', api_key: 'k' } },
  ])('is taken when its credentials have their form: $type', (config) => {
    expect(() => check(config)).not.toThrow();
  });

  it.each([
    [gcp('{"client_email": "a"}'), 'creds.data must be the JSON of a service account key'],
    [gcp('no JSON'), 'creds.data must be the JSON of a service account key'],
    [kubernetes('a: 1'), 'kubeconfig.data must be a kubeconfig file'],
    [oci('key'), 'creds.key_content must be a private key'],
    [nebius('key'), 'creds.private_key_content must be a private key'],
    [slurm(PEM, 'key'), 'clusters.1.private_key.content must be a private key'],
    [
      { type: 'lambda', creds: { type: 'api_key', api_key: ' ' } },
      'creds.api_key must not be empty',
    ],
  ])('is refused with the field whose contents have another form (%#)', (config, text) => {
    expect(() => check(config)).toThrow(text);
  });

  it.each([
    ['users', 'user', 'tokenFile: /var/run/token', 'reads a file'],
    ['users', 'user', 'client-key: /etc/key', 'reads a file'],
    ['users', 'user', 'client-certificate: /etc/cert', 'reads a file'],
    ['users', 'user', 'exec: {command: sh}', 'runs a program'],
    ['clusters', 'cluster', 'certificate-authority: /etc/passwd', 'reads a file'],
  ])('of members of a project names no files and programs of the server: %s.%s.%s', (...given) => {
    const [list, part, field, what] = given;
    const rest = KUBECONFIG.split('\n').filter((line) => !line.startsWith(list));
    const config = kubernetes(`${rest.join('\n')}${list}: [{${part}: {${field}}}]\n`);
    expect(() => check(config, true, false)).toThrow(what);
    expect(() => check(config)).not.toThrow();
  });

  it('uses default credentials only where the server allows it', () => {
    const config = { type: 'aws', creds: { type: 'default' } };
    expect(() => check(config, true)).not.toThrow();
    expect(() => check(config, false)).toThrow('does not allow default credentials');
    expect(() => check(config, true, false)).toThrow('let a global admin add the backend');
  });
});
