import { RunSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RUN_SPEC_SETTINGS,
  diffRunSpecs,
  prepareRunSpec,
  type RunSpecContext,
  runPlanAction,
  sameRunSpec,
} from './index.ts';

const CONTEXT: RunSpecContext = { userPublicKey: 'ssh-ed25519 AAAA me' };
const sent = (configuration: object, spec: object = {}): RunSpec =>
  RunSpec.parse({ run_name: 'train', configuration, ...spec });
const task = (configuration: object = {}) => ({
  type: 'task',
  commands: ['true'],
  ...configuration,
});
const service = (configuration: object = {}) => ({
  type: 'service',
  port: 80,
  commands: ['true'],
  image: 'x',
  ...configuration,
});
const effective = (spec: RunSpec): RunSpec => {
  const prepared = prepareRunSpec(spec, CONTEXT);
  if (!prepared.ok) throw new Error(prepared.message);
  return prepared.spec;
};

describe('defaults', () => {
  it('are filled in and nothing else is touched', () => {
    const spec = sent(task());
    const result = effective(spec);
    expect(result).toMatchObject({
      repo_id: 'none',
      repo_data: { repo_type: 'virtual' },
      ssh_key_pub: CONTEXT.userPublicKey,
      configuration: { priority: 0, nodes: 1, resources: { gpu: { vendor: 'nvidia' } } },
    });
    expect(spec.configuration.priority).toBeNull();
  });

  it.each([
    ['its own image', task({ image: 'x' }), null],
    ['docker', task({ docker: true }), null],
    ['named GPUs of one vendor', task({ image: 'x', resources: { gpu: 'MI300X' } }), 'amd'],
    ['named GPUs of two vendors', task({ image: 'x', resources: { gpu: 'H100,MI300X' } }), null],
    ['no GPU at all', task({ resources: { gpu: 0 } }), null],
    ['the default image', task({ resources: { gpu: null } }), 'nvidia'],
  ])('infer the vendor with %s', (_what, configuration, vendor) => {
    expect(effective(sent(configuration)).configuration.resources.gpu?.vendor).toBe(vendor);
  });

  it('infer the vendor in each group', () => {
    const groups = [{ commands: ['x'], resources: { gpu: 'H100:1' } }, { commands: ['x'] }];
    const { configuration } = effective(sent({ type: 'task', image: 'x', groups }));
    const vendors =
      configuration.type === 'task' && configuration.groups?.map((it) => it.resources.gpu?.vendor);
    expect(vendors).toEqual(['nvidia', null]);
    expect(configuration).not.toHaveProperty('nodes', 1);
  });
});

describe('refusals', () => {
  const volume = { volumes: ['data:/data'] };
  const reference = (text: string, more: object = {}) =>
    sent(task({ nodes: 2, commands: [`ping \${{ ${text} }}`], ...more }));
  it.each([
    ['a bad name', sent(task(), { run_name: 'Bad' }), /Invalid name 'Bad'/],
    [
      'repo data alone',
      sent(task(), { repo_data: { repo_type: 'virtual' } }),
      /repo_data must not be set if repo_id is not set/,
    ],
    ['negative retry', sent(task({ retry: { duration: -1 } })), /retry\.duration/],
    [
      'a long window',
      sent(
        task({
          utilization_policy: { min_gpu_utilization: 1, time_window: '2h' },
        }),
      ),
      /3600 seconds/,
    ],
    [
      'ARM without image',
      sent(task({ resources: { cpu: 'arm' } })),
      /`image` must be set when ARM CPU requested/,
    ],
    ['ARM with docker', sent(task({ docker: true, resources: { cpu: 'arm' } })), /docker/],
    ['AMD without image', sent(task({ resources: { gpu: 'MI300X' } })), /amd/],
    [
      'eleven probes',
      sent(
        service({
          probes: Array.from({ length: 11 }, (_, i) => ({ type: 'http', url: `/${i}` })),
        }),
      ),
      /at most 10 probes/,
    ],
    ['a slow probe', sent(service({ probes: [{ type: 'http', timeout: 301 }] })), /300 seconds/],
    [
      'a schedule at zero',
      sent(
        service({
          replicas: '0..1',
          scaling: { metric: 'rps', target: 1 },
          schedule: { cron: '0 0 * * *' },
        }),
      ),
      /autoscaling to zero/,
    ],
    [
      'Dynamo with retry',
      sent({
        type: 'service',
        port: 80,
        image: 'x',
        retry: false,
        groups: [{ replicas: 1, commands: ['x'], router: { type: 'dynamo' } }],
      }),
      /Dynamo/,
    ],
    ['a variable without value', sent(task({ env: ['TOKEN'] })), /TOKEN/],
    ['groups in env', sent(task({ env: { A: '${{ groups[0].nodes[0].IP_ADDRESS }}' } })), /env/],
    ['a node too many', reference('groups[0].nodes[2].IP_ADDRESS'), /only 2 nodes/],
    ['a group too many', reference('groups[1].nodes[0].IP_ADDRESS'), /no group 1/],
    ['a wrong member', reference('groups[0].replicas[0].IP_ADDRESS'), /nodes\[j\]/],
    ['a typing error', reference('groups[0].nodes[0].IP'), /IP_ADDRESS/],
    [
      'an unknown variable of a volume',
      sent(task({ volumes: ['v-${{ dstack.x }}:/data'] })),
      /dstack\.x/,
    ],
  ])('%s', (_what, spec, message) => {
    expect(prepareRunSpec(spec, CONTEXT)).toMatchObject({
      ok: false,
      code: 'error',
      message: expect.stringMatching(message),
    });
  });

  it('an unknown volume has a code of its own', () => {
    const spec = sent(task(volume));
    const known = { ...CONTEXT, volumes: new Map([['data', ACTIVE]]) };
    expect(prepareRunSpec(spec, known).ok).toBe(true);
    expect(prepareRunSpec(spec, { ...CONTEXT, volumes: new Map() })).toMatchObject({
      code: 'resource_not_exists',
    });
    const perNode = sent(task({ nodes: 2, volumes: ['v-${{ dstack.node_rank }}:/data'] }));
    const first = { ...CONTEXT, volumes: new Map([['v-0', ACTIVE]]) };
    expect(prepareRunSpec(perNode, first)).toMatchObject({ message: 'Volume v-1 not found' });
  });

  it.each([
    [['data:/a', 'data:/b'], 'data'],
    [[{ name: ['v', 'data'], path: '/a' }, 'data:/b'], 'data'],
    // The second node would mount it twice.
    [['v-${{ dstack.node_rank }}:/a', 'v-1:/b'], 'v-1'],
    [['v-${{ dstack.node_rank }}:/a', 'v-${{ dstack.job_num }}:/b'], 'v-0'],
  ] as const)('a volume at two paths of one node: %j', (volumes, name) => {
    const spec = sent(task({ nodes: 2, volumes }));
    const message = `Volume ${name} is mounted twice`;
    expect(prepareRunSpec(spec, CONTEXT)).toMatchObject({ ok: false, message });
  });

  it.each([
    [{ status: 'failed', statusMessage: 'no quota' }, 'is failed and cannot be mounted: no quota'],
    [{ status: 'submitted' }, 'is submitted and cannot be mounted'],
    [{ toBeDeleted: true }, 'is being deleted'],
  ] as const)('a volume that is %o', (state, message) => {
    const volumes = new Map([['data', { ...ACTIVE, ...state }]]);
    const refused = prepareRunSpec(sent(task(volume)), { ...CONTEXT, volumes });
    expect(refused).toMatchObject({ ok: false, message: `Volume data ${message}` });
  });

  it('a service without a gateway, where that is forbidden', () => {
    const settings = { ...DEFAULT_RUN_SPEC_SETTINGS, forbidServicesWithoutGateway: true };
    const message = (gateway: unknown, hasDefaultGateway?: boolean) => {
      const context = {
        ...CONTEXT,
        settings,
        ...(hasDefaultGateway !== undefined && { hasDefaultGateway }),
      };
      const prepared = prepareRunSpec(sent(service({ gateway })), context);
      return prepared.ok ? 'accepted' : prepared.message;
    };
    const text = 'Services without a gateway are not allowed on this server';
    expect(message(false, true)).toBe(`${text}: \`gateway\` must not be false`);
    expect(message(null, false)).toContain(
      `${text}, and the project has no running default gateway`,
    );
    expect(message(null, true)).toBe('accepted');
    expect(message('edge', false)).toBe('accepted');
    expect(message(true, false)).toBe('accepted');
    expect(prepareRunSpec(sent(service()), { ...CONTEXT, hasDefaultGateway: false }).ok).toBe(true);
    expect(
      prepareRunSpec(sent(task()), { ...CONTEXT, settings, hasDefaultGateway: false }).ok,
    ).toBe(true);
  });

  it('a user without any key', () => {
    expect(prepareRunSpec(sent(task()), { userPublicKey: null }).ok).toBe(false);
  });

  it('are none for references that are correct or escaped', () => {
    expect(prepareRunSpec(reference('groups[0].nodes[1].IP_ADDRESS'), CONTEXT).ok).toBe(true);
    const escaped = sent(task({ commands: ['echo $${{ groups[9] }}'] }));
    expect(prepareRunSpec(escaped, CONTEXT).ok).toBe(true);
  });
});

const ACTIVE = { status: 'active', statusMessage: null, toBeDeleted: false } as const;

it('a copy of a client that does not have the key `rollout` is still the same spec', () => {
  const rollout = { surge: 2, max_unavailable: 0, deadline: null, canary: null, hold: false };
  const stored = effective(sent(service({ rollout })));
  expect(sameRunSpec(effective(sent(service())), stored)).toBe(true);
  const other = effective(sent(service({ rollout: { ...rollout, surge: 3 } })));
  expect(sameRunSpec(other, stored)).toBe(false);
});

describe('changes of an active run', () => {
  const archive = (id: string) => ({ id, path: 'data' });
  const idA = '11111111-1111-4111-8111-111111111111';
  const idB = '22222222-2222-4222-8222-222222222222';
  it.each([
    ['nothing', sent(task()), sent(task()), [], true],
    ['priority', sent(task()), sent(task({ priority: 50 })), ['configuration.priority'], true],
    [
      'commands of a task',
      sent(task()),
      sent(task({ commands: ['x'] })),
      ['configuration.commands'],
      false,
    ],
    [
      'commands of a service',
      sent(service()),
      sent(service({ commands: ['x'] })),
      ['configuration.commands'],
      true,
    ],
    [
      'replicas',
      sent(service({ replicas: 2 })),
      sent(service({ replicas: 3 })),
      ['configuration.replicas'],
      true,
    ],
    [
      'code of a task',
      sent(task()),
      sent(task(), { repo_code_hash: 'a' }),
      ['repo_code_hash'],
      false,
    ],
    [
      'code of a service',
      sent(service()),
      sent(service(), { repo_code_hash: 'a' }),
      ['repo_code_hash'],
      true,
    ],
    [
      'profile',
      sent(task()),
      sent(task(), { profile: { name: 'x', max_price: 1 } }),
      ['profile'],
      false,
    ],
    [
      'https made plain',
      sent(service()),
      sent(service({ https: true })),
      ['configuration.https'],
      true,
    ],
    [
      'https switched off',
      sent(service()),
      sent(service({ https: false })),
      ['configuration.https'],
      true,
    ],
    [
      'an architecture that is no longer requested',
      sent(task({ image: 'x', resources: { cpu: 'x86' } })),
      sent(task({ image: 'x' })),
      ['configuration.resources'],
      true,
    ],
    [
      'resources of a task',
      sent(task()),
      sent(task({ resources: { cpu: '4..' } })),
      ['configuration.resources'],
      false,
    ],
    [
      'files that lie elsewhere',
      sent(task({ files: ['a:data'] }), { file_archives: [archive(idA)] }),
      sent(task({ files: ['b:data'] }), { file_archives: [archive(idA)] }),
      ['configuration.files'],
      true,
    ],
    [
      'other files',
      sent(task({ files: ['a:data'] }), { file_archives: [archive(idA)] }),
      sent(task({ files: ['b:data'] }), { file_archives: [archive(idB)] }),
      ['file_archives', 'configuration.files'],
      false,
    ],
    [
      'inactivity',
      sent({ type: 'dev-environment' }),
      sent({ type: 'dev-environment', inactivity_duration: '1h' }),
      ['configuration.inactivity_duration'],
      true,
    ],
  ])('%s', (_what, before, after, changed, updatable) => {
    const diff = diffRunSpecs(effective(before), effective(after));
    expect(diff.changed).toEqual(changed);
    expect(diff.updatable).toBe(updatable);
    const current = { finished: false, spec: effective(before) };
    expect(runPlanAction(current, effective(after))).toBe(updatable ? 'update' : 'create');
    expect(runPlanAction({ ...current, finished: true }, effective(after))).toBe('create');
  });

  it('never include the type or the router', () => {
    expect(diffRunSpecs(effective(sent(task())), effective(sent(service()))).updatable).toBe(false);
    const group = { name: 'r', replicas: 1, commands: ['x'] };
    const routed = (router: object | null, name = 'r') =>
      effective(
        sent({ type: 'service', port: 80, image: 'x', groups: [{ ...group, name, router }] }),
      );
    const smg = routed({ type: 'smg' });
    expect(diffRunSpecs(smg, routed(null)).reason).toMatch(/router group/);
    expect(diffRunSpecs(smg, routed({ type: 'smg' }, 'q')).reason).toMatch(/renamed/);
    expect(diffRunSpecs(smg, routed({ type: 'dynamo' })).reason).toMatch(/type of a router/);
  });
});
