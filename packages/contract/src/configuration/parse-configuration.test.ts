import { describe, expect, test } from 'vitest';
import type { ConfigurationError } from './finding.ts';
import { formatConfigurationErrors } from './format-errors.ts';
import { type DocumentKind, parseConfiguration } from './parse-configuration.ts';

function errorsOf(
  text: string,
  kind: DocumentKind = 'configuration',
): readonly ConfigurationError[] {
  const parsed = parseConfiguration(text, kind);
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(parsed.value)}`);
  return parsed.errors;
}

function warningsOf(text: string): string[] {
  const parsed = parseConfiguration(text, 'configuration');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.warnings.map((warning) => `${warning.line} ${warning.path}: ${warning.message}`);
}

describe('errors', () => {
  test('all problems are reported at once, in the order of the text', () => {
    const text = [
      'type: task',
      'comands: [echo hi]',
      'spot_policy: ondemand',
      'resources:',
      '  gpus: 1',
      '  memory: 16GiB',
      'max_duration: 1h30m',
      'ports: ["80:", 99999]',
      'env: {A: true}',
    ].join('\n');
    expect(errorsOf(text).map(({ line, path, suggestion }) => [line, path, suggestion])).toEqual([
      [2, 'comands', 'commands'],
      [3, 'spot_policy', 'on-demand'],
      [5, 'resources.gpus', 'gpu'],
      [6, 'resources.memory', '16GB'],
      [7, 'max_duration', '90m'],
      [8, 'ports.0', undefined],
      [8, 'ports.1', undefined],
      [9, 'env', undefined],
    ]);
  });

  test('a command that YAML reads as a map is reported with its correct spelling', () => {
    const text = 'type: task\ncommands:\n  - curl -H "Accept: text/plain" x\n';
    const [error] = errorsOf(text);
    expect(error?.message).toMatch(
      /^must be a string, got a map .*quote it, or write it below `\|`/,
    );
  });

  test('a fleet refuses text that would be several values in an SSH configuration', () => {
    const evil = '"root\\n  ProxyCommand touch x"';
    const text = [
      'type: fleet',
      'ssh_config:',
      `  user: ${evil}`,
      '  port: 0',
      '  identity_file: "k\\n"',
      `  proxy_jump: {hostname: -oX, user: ${evil}, port: 65536, identity_file: k}`,
      '  hosts:',
      '    - "a b"',
      `    - {hostname: "a\\nb", user: ${evil}, port: -1, identity_file: ""}`,
      `    - {hostname: a, proxy_jump: {hostname: b, user: -oX, identity_file: k}}`,
    ].join('\n');
    const found = errorsOf(text).map(({ path, message }) => `${path} ${message}`);
    expect(found).toHaveLength(12);
    for (const [index, start] of [
      'ssh_config.user must be the name of a login user',
      'ssh_config.port must be a port',
      'ssh_config.identity_file must be the path of a private key',
      'ssh_config.proxy_jump.hostname must be a host name',
      'ssh_config.proxy_jump.user must be',
      'ssh_config.proxy_jump.port must be',
      'ssh_config.hosts.0 must be a host name',
      'ssh_config.hosts.1 hostname must be',
      'ssh_config.hosts.1 user must be',
      'ssh_config.hosts.1 port must be',
      'ssh_config.hosts.1 identity_file must be',
      'ssh_config.hosts.2 proxy_jump.user must be',
    ].entries()) {
      expect(found[index]).toContain(start);
    }
    expect(errorsOf('type: task\ncommands: [a]\nuser: "a b:c"\n')[0]?.path).toBe('user');
  });

  test('a rule over several keys is reported beside other problems', () => {
    const errors = errorsOf('type: task\nimage: x\npython: 3.12\nmax_price: 0\n');
    expect(errors.map((error) => error.path)).toEqual(['python', 'max_price']);
  });

  test('a rule is not reported for keys that are invalid or misspelt themselves', () => {
    expect(errorsOf('type: task\ncommands: echo hi\n').map((error) => error.path)).toEqual([
      'commands',
    ]);
    expect(errorsOf('type: task\ncomand: [a]\n').map((error) => error.path)).toEqual(['comand']);
  });

  test('a rule points at one of the keys it is about', () => {
    const [error] = errorsOf('type: task\nname: aa\nnodes: 2\ngroups: [{commands: [a]}]\n');
    expect(error).toMatchObject({ path: '', line: 3, column: 1 });
  });

  test('the exact place within a value is found although the path ends at the field', () => {
    const [error] = errorsOf('type: task\ncommands: [a]\nenv:\n  A: x\n  B: true\n');
    expect(error).toMatchObject({ path: 'env', line: 5, column: 3 });
    expect(error?.message).toContain('B');
  });

  test('a value that YAML reads as a boolean is reported with the advice to quote it', () => {
    const [error] = errorsOf('type: task\ncommands: [a]\nname: on\n');
    expect(error?.message).toContain('put the word in quotes');
  });

  test('a date is reported with the advice to quote it', () => {
    const [error] = errorsOf('type: task\ncommands: [a]\nname: 2024-01-01\n');
    expect(error).toMatchObject({ path: 'name', type: 'string_type' });
    expect(error?.message).toContain('quotes');
  });

  test('a scalar or date in place of a map is one error, not one for each missing key', () => {
    for (const value of ['x', '2024-01-01', '1.0', '[1]']) {
      const errors = errorsOf(`type: task\ncommands: [a]\nregistry_auth: ${value}\n`);
      expect(errors.map((error) => error.path)).toEqual(['registry_auth']);
    }
  });

  test('a key of another type is reported with the key to use instead', () => {
    const [error] = errorsOf('type: dev-environment\ncommands: [a]\n');
    expect(error?.message).toContain('init');
  });

  test('errors in the old list of replica groups have their place in the document', () => {
    const [error] = errorsOf(
      'type: service\nport: 80\nreplicas:\n  - count: 1\n    comands: [a]\n',
    );
    expect(error).toMatchObject({ path: 'replicas.0.comands', line: 5 });
  });

  test('a syntax error has a place and no stack trace', () => {
    expect(errorsOf('type: task\n\tname: x\n')).toMatchObject([
      { type: 'yaml', path: '', line: 2 },
    ]);
  });

  test('documents of other kinds are checked too', () => {
    expect(errorsOf('projects: [{name: a}]\n', 'cli-config').map((error) => error.path)).toEqual([
      'projects.0.url',
      'projects.0.token',
    ]);
    expect(errorsOf('', 'profiles')).toMatchObject([{ path: 'profiles', type: 'missing' }]);
  });

  test('a formatted error shows file, line, the line itself and a suggestion', () => {
    const text = 'type: task\ncomands: [a]\n';
    expect(formatConfigurationErrors(errorsOf(text), '.dstack.yml', text)).toBe(
      [
        ".dstack.yml:2:1: comands is not a known key here (did you mean 'commands'?)",
        '2 | comands: [a]',
        '    ^',
      ].join('\n'),
    );
  });

  test.each([
    [
      'local',
      "the server's machine needs no `backends`; to name it, write remote (did you mean 'remote'?)",
    ],
    ['ssh', "SSH hosts need no `backends`; to name them, write remote (did you mean 'remote'?)"],
  ])(
    'the backend %s, which tables of machines name, is refused with the way to it',
    (name, way) => {
      const text = `type: fleet\nnodes: 0..1\nbackends: [${name}]\n`;
      expect(errorsOf(text)).toMatchObject([{ path: 'backends.0', type: 'enum' }]);
      expect(formatConfigurationErrors(errorsOf(text), 'f', text)).toContain(
        `slurm, got '${name}': ${way}`,
      );
    },
  );

  test('a key that is not one of those of its map is named with them, and with the nearest one', () => {
    const text =
      'type: task\ncommands: [a]\nbackend_settings:\n  slurm: {options: {nodelst: cpu-1}}\n';
    expect(formatConfigurationErrors(errorsOf(text), 'f', text)).toMatch(
      /^f:4:21: backend_settings.slurm.options.nodelst is a key that must be one of begin, .*, got 'nodelst' \(did you mean 'nodelist'\?\)/,
    );
  });

  test('a label that Kubernetes would not take is named', () => {
    const errorOf = (label: string) => {
      const text = `type: task\ncommands: [a]\nbackend_settings:\n  kubernetes: {labels: {${label}}}\n`;
      return formatConfigurationErrors(errorsOf(text), 'f', text).split('\n')[0];
    };
    expect(errorOf("'a b': c")).toContain(
      'backend_settings.kubernetes.labels.a b is a key that must be a name of Kubernetes',
    );
    expect(errorOf("team: 'a b'")).toContain(
      'backend_settings.kubernetes.labels.team must be letters and digits',
    );
  });

  test('a formatted error shows the part of a long line around its place', () => {
    const text = `type: task\ncommands: [a]\nports: [${'80,'.repeat(500)}x,${'80,'.repeat(500)}]\n`;
    const [, excerpt = '', pointer = ''] = formatConfigurationErrors(
      errorsOf(text),
      'f',
      text,
    ).split('\n');
    expect(excerpt).toMatch(/^3 \| ….*80,x,80,.*…$/);
    expect([excerpt.length < 200, excerpt[pointer.indexOf('^')]]).toEqual([true, 'x']);
  });
});

describe('warnings', () => {
  test.each([
    ['ports: [22:22]', 'ports.0', 'base 60'],
    ['max_duration: 1:30:00', 'max_duration', "write a duration like '90m'"],
    ['stop_duration: 1:30', 'stop_duration', "write a duration like '90s'"],
    ['idle_duration: 1:00:00', 'idle_duration', "write a duration like '1h'"],
    ['retry: {duration: 12:00:00}', 'retry.duration', "write a duration like '12h'"],
    ['env: {max_duration: 1:30}', 'env.max_duration', "quote it ('1:30')"],
    ['env: {V: 3.10}', 'env.V', "'3.1'"],
    ['env: {V: 017}', 'env.V', '15'],
    ['name: aa\nname: bb', 'name', 'twice'],
    ['schedule: {cron: "0 8 * * 1-5"}', 'schedule.cron', 'Monday'],
    ['image: x\nnvcc: true', 'nvcc', 'no effect'],
    ['resources: {gpu: true}', 'resources.gpu', 'boolean'],
    ['resources: {gpu: {name: "A100,H100"}}', 'resources.gpu.name', 'list'],
    ['ports: [10500]', 'ports.0', 'reserved'],
    ['name: x', 'name', 'refused'],
    ['env: {"1a": x}', 'env.1a', 'not a valid name'],
    ['retry: {duration: -5}', 'retry.duration', 'negative'],
    ['volumes: [":/data"]', 'volumes.0', 'empty'],
    ['setup: [make]', 'setup', 'no effect in a task'],
    ['home_dir: /home/me', 'home_dir', 'no effect'],
  ])('%s', (lines, path, words) => {
    const warnings = warningsOf(`type: task\ncommands: [a]\n${lines}\n`);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${path}: `);
    expect(warnings[0]).toContain(words);
  });

  test.each([
    ['scaling: {metric: rps, target: 1}', 'no effect without replicas'],
    ['autoscaling: [{metric: rps, target: 1}]', 'no effect without replicas'],
    ['probes: [{type: http, body: x}]', 'method: post'],
  ])('service with %s', (lines, words) => {
    const warnings = warningsOf(`type: service\nport: 80\ncommands: [a]\n${lines}\n`);
    expect(warnings.join()).toContain(words);
  });

  test.each([
    ['type: fleet\nname: aa', 'neither nodes nor ssh_config'],
    ['type: fleet\nnodes: 1\nssh_config: {hosts: [a]}', 'exactly one'],
    ['type: volume\nbackend: aws\nregion: r', 'size'],
    [
      'type: volume\nbackend: aws\nregion: r\nvolume_id: v\nauto_cleanup_duration: 1h',
      'new volumes',
    ],
    ['type: task\ncommands: [a]\nworking_dir: src', 'absolute'],
    ['type: fleet\nnodes: 1\nretry: true', 'nodes.min'],
    ['type: dev-environment\nsetup: [make]', 'use init'],
    ['type: dev-environment\ninit: ["a ${{ secrets.x }}"]', 'init.0: uses a secret'],
    ['type: task\ncommands: ["a ${{secrets.x}}"]', 'commands.0: uses a secret'],
    ['type: task\ngroups: [{commands: ["a ${{ secrets.x }}"]}]', 'groups.0.commands.0'],
    [
      'type: service\nport: 80\ngroups: [{replicas: 1, commands: ["${{ secrets.x }}"]}]',
      'groups.0.commands.0: uses a secret',
    ],
  ])('%j is accepted by the parser and noted as refused by the server', (text, words) => {
    expect(warningsOf(text).join()).toContain(words);
  });

  test('a note reports that resources beside groups have no effect', () => {
    const text = 'type: task\nresources: {gpu: 1}\ngroups: [{commands: [a]}]\n';
    expect(warningsOf(text).join()).toContain('no effect beside groups');
  });

  test.each([
    'python: 3.10',
    'env: {A: "${{ secrets.x }}"}',
    'max_price: 1.50',
    'nodes: 2',
    'env: {V: "3.10"}',
    'ports: ["22:22", 8080:80]',
    'resources: {memory: 7.5}',
  ])('%s needs no note', (lines) => {
    expect(warningsOf(`type: task\ncommands: [a]\n${lines}\n`)).toEqual([]);
  });
});

describe('server configuration', () => {
  const withFiles = (text: string, files: Record<string, string>) =>
    parseConfiguration(text, 'server-config', { readFile: (path) => files[path] });

  test('secrets are read from the files that backends refer to', () => {
    const text = [
      'projects:',
      '  - name: main',
      '    backends:',
      '      - type: gcp',
      '        project_id: p',
      '        creds: {type: service_account, filename: ~/sa.json}',
      '      - type: kubernetes',
      '        kubeconfig: {filename: kube}',
      '      - type: nebius',
      '        creds: {filename: nebius.json}',
      '      - type: slurm',
      '        clusters: [{name: c, hostname: h, user: u, private_key: {path: key}}]',
    ].join('\n');
    const nebius = { 'subject-credentials': { sub: 's', kid: 'k', 'private-key': 'PEM' } };
    const files = {
      '~/sa.json': '{}',
      kube: 'K',
      'nebius.json': JSON.stringify(nebius),
      key: 'PRIV',
    };
    const parsed = withFiles(text, files);
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        projects: [
          {
            backends: [
              { creds: { data: '{}' } },
              { kubeconfig: { data: 'K' } },
              {
                creds: { service_account_id: 's', public_key_id: 'k', private_key_content: 'PEM' },
              },
              { clusters: [{ private_key: { path: 'key', content: 'PRIV' } }] },
            ],
          },
        ],
      },
    });
  });

  test('a login node has a jump host with a key of its own, or with its key', () => {
    const jumps = [
      'proxy_jump: {hostname: j, user: v, identity_file: other}',
      'proxy_jump: {hostname: j, port: 2222, user: v}',
      'proxy_jump: {hostname: j, user: v, private_key: {content: INLINE}}',
      'proxy_jump: null',
    ];
    const clusters = jumps.map(
      (jump, at) => `{name: c${at}, hostname: h, user: u, private_key: {path: key}, ${jump}}`,
    );
    const text = (all: readonly string[]) =>
      `projects:\n  - name: main\n    backends:\n      - {type: slurm, clusters: [${all}]}\n`;
    const parsed = withFiles(text(clusters), { key: 'PRIV', other: 'OTHER' });
    expect(parsed.ok && parsed.value.projects[0]?.backends?.[0]).toMatchObject({
      clusters: [
        { proxy_jump: { user: 'v', private_key: { path: 'other', content: 'OTHER' } } },
        { proxy_jump: { port: 2222, private_key: null } },
        { proxy_jump: { private_key: { content: 'INLINE' } } },
        { proxy_jump: null },
      ],
    });
    const unread = withFiles(text(clusters.slice(0, 1)), { key: 'PRIV' });
    expect(JSON.stringify(unread)).toContain("file 'other' in path, which can't be read");
  });

  test.each([
    ['type: kubernetes\n        kubeconfig: {}', 'kubeconfig', 'filename or data'],
    ['type: nebius\n        creds: {}', 'creds', 'service_account_id'],
    ['type: nebius\n        creds: {filename: bad}', 'creds', 'Nebius'],
    [
      'type: gcp\n        project_id: p\n        subnetworks: {a: b}\n        creds: {type: default}',
      'subnetworks',
      'vpc_name',
    ],
    [
      'type: oci\n        creds: {type: client, user: u, tenancy: t, fingerprint: f, region: r}',
      'creds',
      'key_file',
    ],
    [
      'type: kubernetes\n        contexts: [a]\n        namespace: n\n        kubeconfig: {data: x}',
      'namespace',
      'contexts',
    ],
    ['type: aws\n        creds: {type: default}\n        region: x', 'region', 'not a known key'],
  ])('%s is refused', (backend, path, words) => {
    const parsed = withFiles(`projects:\n  - name: main\n    backends:\n      - ${backend}\n`, {
      bad: '{',
    });
    expect(parsed).toMatchObject({
      ok: false,
      errors: [{ path: `projects.0.backends.0.${path}` }],
    });
    expect(!parsed.ok && parsed.errors[0]?.message).toContain(words);
  });
});
