import { describe, expect, it } from 'vitest';
import { unfitParts } from './unfit-parts.ts';

const task = (configuration: object, more: object = {}) => ({
  run_spec: { run_name: 'x', configuration: { type: 'task', ...configuration }, ...more },
});
const places = (value: unknown) => unfitParts(value).map(({ path }) => path.join('.'));

describe('control characters', () => {
  const sequence = '\u001b]0;gone\u0007';

  it.each([
    ['a name of a run', { run_spec: { run_name: sequence } }, 'run_spec.run_name'],
    ['a working directory', task({ working_dir: '/a\nb' }), 'run_spec.configuration.working_dir'],
    ['an image', task({ image: 'a\tb' }), 'run_spec.configuration.image'],
    ['a region', task({ regions: ['eu', 'us\r'] }), 'run_spec.configuration.regions.1'],
    ['a tag', task({ tags: { team: '\u0085' } }), 'run_spec.configuration.tags.team'],
    ['a key of a tag', task({ tags: { 'a\u2028': 'b' } }), 'run_spec.configuration.tags.a\u2028'],
    ['a name of a variable', task({ env: { 'A\n': 'b' } }), 'run_spec.configuration.env.A\n'],
    ['a branch', { repo_data: { repo_branch: 'main\u007f' } }, 'repo_data.repo_branch'],
    [
      'a header of a probe',
      { probes: [{ headers: [{ name: 'a', value: 'b\r\nX: c' }] }] },
      'probes.0.headers.0.value',
    ],
    ['an archive', { file_archives: [{ id: 'x', path: '/a\u0000' }] }, 'file_archives.0.path'],
    ['a host', { ssh_config: { hosts: ['10.0.0.1\n'] } }, 'ssh_config.hosts.0'],
    [
      'two lines in place of a public key',
      { ssh_key: { public: 'ssh-rsa A\nssh-rsa B' } },
      'ssh_key.public',
    ],
    ['a name of a secret', { name: 'a\n', value: 'b\n' }, 'name'],
    ['a user', { username: 'a\u0000' }, 'username'],
    ['U+0000 in a command', task({ commands: ['a\u0000'] }), 'run_spec.configuration.commands.0'],
  ])('are refused in %s, with its place', (_what, body, expected) => {
    expect(places(body)).toEqual([expected]);
  });

  it.each([
    ['commands', task({ commands: ['a\n\tb\u001b[0m'], entrypoint: 'sh\n' })],
    ['initial commands', task({ init: ['a\nb'] })],
    ['values of variables', task({ env: { A: '-----BEGIN KEY-----\nx\n' } })],
    ['variables as a list', task({ env: ['A=b\nc'] })],
    [
      'a password of a registry',
      task({ registry_auth: { username: '_json_key', password: '{\n}' } }),
    ],
    ['a public key with its line break', task({}, { ssh_key_pub: 'ssh-rsa A\ta b\r\n' })],
    ['private keys', { ssh_config: { ssh_key: { public: 'a\n', private: '-----\n' } } }],
    ['secrets', { name: 'a', value: 'b\nc' }],
    ['credentials', { type: 'gcp', creds: { type: 'service_account', data: '{\n}' } }],
    ['a kubeconfig', { type: 'kubernetes', kubeconfig: { data: 'a: b\n' } }],
    ['a backend as YAML', { config_yaml: 'type: aws\n' }],
    ['a template of a chat', { model: { chat_template: '{%\n%}', eos_token: '\n' } }],
    ['the body of a probe', { probes: [{ body: '{\n}' }] }],
    ['what the server had sent', { plan: { current_resource: { error: 'two\nlines' } } }],
    ['a schedule', { schedule: { cron: '0\t8 * * *' } }],
    ['other scripts', { run_name: 'x', working_dir: '/данные/日本語/🙂' }],
  ])('pass in %s', (_what, body) => {
    expect(unfitParts(body)).toEqual([]);
  });

  it('are found in every place, up to a hundred', () => {
    expect(places({ a: '\n', b: { c: ['x', '\n'] } })).toEqual(['a', 'b.c.1']);
    expect(places(Array.from({ length: 500 }, () => '\n'))).toHaveLength(100);
  });

  it('in keys are refused too', () => {
    expect(unfitParts({ a: 'x\u001b' })[0]?.why).toContain('U+001B');
  });
});

describe('that no request may contain either', () => {
  it.each([
    ['a name without end', { name: 'x'.repeat(8193) }, 'name'],
    ['a number without end', { limit: Number.POSITIVE_INFINITY }, 'limit'],
    ['half a character', { commands: ['\ud800'] }, 'commands.0'],
    ['the key __proto__', JSON.parse('{"env":{"__proto__":"a"}}'), 'env.__proto__'],
  ])('is %s', (_what, body, expected) => {
    expect(places(body)).toEqual([expected]);
  });

  it('is not a long script', () => {
    expect(unfitParts({ commands: ['x'.repeat(1_000_000)] })).toEqual([]);
  });
});
