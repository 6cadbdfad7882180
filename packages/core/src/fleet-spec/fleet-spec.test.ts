import { FleetSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import {
  diffFleetSpecs,
  fleetHosts,
  fleetPlanAction,
  prepareFleetSpec,
  sameFleetSpec,
} from './index.ts';

const fleet = (configuration: object): FleetSpec =>
  FleetSpec.parse({
    configuration: { type: 'fleet', name: 'gpus', ...configuration },
    profile: { name: 'default' },
  });
const KEY = { public: 'ssh-rsa A', private: '-----BEGIN OPENSSH PRIVATE KEY-----\nx' };
const openssh = (start: string) =>
  `-----BEGIN OPENSSH PRIVATE KEY-----\n${start}\n-----END OPENSSH PRIVATE KEY-----\n`;
const ssh = (hosts: unknown[], more: object = {}) =>
  fleet({ ssh_config: { user: 'root', ssh_key: KEY, hosts, ...more } });

const onHosts = (more: object) =>
  fleet({ ...more, ssh_config: { user: 'root', ssh_key: KEY, hosts: ['a'] } });

describe('a fleet spec', () => {
  it.each([
    ['cloud', fleet({ nodes: 2 })],
    ['hosts', ssh(['a', 'b'])],
    ['internal addresses for all', ssh([{ hostname: 'a', internal_ip: '10.0.0.1' }])],
  ])('of %s is accepted', (_what, spec) => {
    expect(prepareFleetSpec(spec)).toEqual({ ok: true, spec });
  });

  it('takes a key of OpenSSH’s own format that has no passphrase', () => {
    const open = openssh('b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAA');
    const spec = ssh(['a'], { ssh_key: { ...KEY, private: open } });
    expect(prepareFleetSpec(spec).ok).toBe(true);
  });

  it.each([
    ['neither kind', fleet({}), /`nodes` .*or `ssh_config`/],
    ['a bad name', fleet({ name: 'G', nodes: 1 }), /Invalid name/],
    [
      'cloud fields on hosts',
      fleet({ max_price: 1, ssh_config: { user: 'u', hosts: ['a'], ssh_key: KEY } }),
      /max_price/,
    ],
    ['too many nodes', fleet({ nodes: 501 }), /501 instances .*at most 500/],
    ['a range of too many nodes', fleet({ nodes: '1000000000..' }), /1000000000 instances/],
    ['too many hosts', ssh(Array.from({ length: 1001 }, (_, i) => `h${i}`)), /1000 hosts at most/],
    [
      'a key that is too long',
      ssh(['a'], { ssh_key: { ...KEY, private: `${KEY.private}${'x'.repeat(20_000)}` } }),
      /no private key has more than/,
    ],
    ['env in a cloud', fleet({ nodes: 1, env: ['A=1'] }), /env/],
    ['a host without user', ssh(['a'], { user: null }), /Host a has no user/],
    ['a host without key', ssh(['a'], { ssh_key: null }), /Host a has no key/],
    ['a strange key', ssh(['a'], { ssh_key: { ...KEY, private: 'x' } }), /Unsupported key type/],
    [
      'a locked key',
      ssh(['a'], {
        ssh_key: { ...KEY, private: '-----BEGIN ENCRYPTED PRIVATE KEY-----' },
      }),
      /passphrase/,
    ],
    [
      "a locked key of OpenSSH's own format",
      ssh(['a'], {
        ssh_key: {
          ...KEY,
          private: openssh('b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0'),
        },
      }),
      /passphrase.*ssh-keygen -p/,
    ],
    [
      'a name that no shell takes',
      onHosts({ env: { 'A; id #': 'x' } }),
      /env: "A; id #" is no name/,
    ],
    [
      'a value that no process takes',
      onHosts({ env: { A: 'a\0b' } }),
      /env: the value of A holds a NUL/,
    ],
    [
      'a variable without value',
      onHosts({ env: { A: { key: 'A' } } }),
      /env: the variable A has no value/,
    ],
    ['a host twice', ssh(['a', 'A']), /listed twice/],
    [
      'some internal addresses',
      ssh([{ hostname: 'a', internal_ip: '10.0.0.1' }, 'b']),
      /internal_ip/,
    ],
  ])('with %s is refused', (_what, spec, message) => {
    expect(prepareFleetSpec(spec)).toMatchObject({
      ok: false,
      message: expect.stringMatching(message),
    });
  });

  it('with a host of another fleet is refused', () => {
    const hostsInUse = new Map([
      ['b:22', 'rack'],
      ['c:22', null],
    ]);
    expect(prepareFleetSpec(ssh(['a', 'b']), { hostsInUse })).toMatchObject({
      message: expect.stringMatching(/Host b belongs to another fleet already: .*rack/),
    });
    expect(prepareFleetSpec(ssh(['a', 'c']), { hostsInUse })).toMatchObject({
      message: expect.stringMatching(/Host c belongs to another fleet already, in another project/),
    });
    const other = ssh(['a', { hostname: 'b', port: 23 }]);
    expect(prepareFleetSpec(other, { hostsInUse }).ok).toBe(true);
  });
});

describe('changes of a fleet', () => {
  it.each([
    ['nothing', fleet({ nodes: 1 }), fleet({ nodes: { min: 1, target: 1, max: 1 } }), [], true],
    [
      'size and place',
      fleet({ nodes: 1 }),
      fleet({ nodes: '1..2', regions: ['eu'] }),
      ['configuration.nodes', 'configuration.regions'],
      true,
    ],
    [
      'placement',
      fleet({ nodes: 1 }),
      fleet({ nodes: 1, placement: 'cluster' }),
      ['configuration.placement'],
      false,
    ],
    ['hosts that come', ssh(['a']), ssh(['a', 'b']), ['configuration.ssh_config'], true],
    [
      'the user of hosts',
      ssh(['a']),
      ssh(['a'], { user: 'ubuntu' }),
      ['configuration.ssh_config'],
      false,
    ],
    [
      'a host that stays',
      ssh([{ hostname: 'a' }]),
      ssh([{ hostname: 'a', internal_ip: '10.0.0.1' }]),
      ['configuration.ssh_config'],
      false,
    ],
    [
      'where the key lies',
      ssh(['a'], { identity_file: 'x' }),
      ssh(['a'], { identity_file: 'y' }),
      [],
      true,
    ],
  ])('%s', (_what, before, after, changed, updatable) => {
    expect(diffFleetSpecs(before, after)).toMatchObject({ changed, updatable });
    expect(fleetPlanAction(before, after)).toBe(updatable ? 'update' : 'create');
  });

  it('of prices apply in place, and are detected', () => {
    const host = (price?: number) => ({ hostname: 'a', ...(price === undefined ? {} : { price }) });
    const pairs = [
      [ssh(['a']), ssh([host(2)])],
      [ssh([host(2)]), ssh([host(3)])],
      [ssh([host(2)]), ssh(['a'])],
      [ssh(['a']), ssh(['a'], { price: 1 })],
    ] as const;
    for (const [before, after] of pairs) {
      const expected = { changed: ['configuration.ssh_config'], updatable: true };
      expect(diffFleetSpecs(before, after)).toMatchObject(expected);
    }
  });

  it.each([
    ['of one host', ssh([{ hostname: 'a', blocks: 2 }]), ssh([{ hostname: 'a', blocks: 'auto' }])],
    ['of one host that had the number of all', ssh(['a']), ssh([{ hostname: 'a', blocks: 2 }])],
    ['of all hosts', onHosts({ blocks: 1 }), onHosts({ blocks: 4 })],
    ['of machines', fleet({ nodes: 1 }), fleet({ nodes: 1, blocks: 2 })],
  ])('of blocks apply in place: %s', (_of, before, after) => {
    expect(fleetPlanAction(before, after)).toBe('update');
  });

  it('of the environment of hosts, and of the idle duration of machines, apply in place', () => {
    expect(
      fleetPlanAction(onHosts({ env: { A: '1' } }), onHosts({ env: { A: '2', B: '1' } })),
    ).toBe('update');
    const idle = (idle_duration: string) => fleet({ nodes: 1, idle_duration });
    expect(fleetPlanAction(idle('1h'), idle('2h'))).toBe('update');
  });

  it('by clients without our keys keep the prices of hosts', () => {
    const current = ssh([{ hostname: 'a', price: 2 }, 'b'], { price: 1 });
    const sent = ssh(['a', 'b', 'c']);
    const spec = (isOurs: boolean) => {
      const result = prepareFleetSpec(sent, { current, isOurs });
      return result.ok ? result.spec.configuration.ssh_config : null;
    };
    const config = spec(false);
    expect(config && fleetHosts(config).map(({ price }) => price)).toEqual([2, 1, 1]);
    expect(spec(true)).toEqual(sent.configuration.ssh_config);
  });

  it.each([
    [
      'hosts',
      (more: object) =>
        fleet({ ssh_config: { user: 'root', ssh_key: KEY, hosts: ['a'] }, ...more }),
    ],
    ['cloud', (more: object) => fleet({ nodes: 2, ...more })],
  ])('of preemption on %s apply in place, and clients without our keys keep it', (_, of) => {
    const preemption = { mode: 'priority', min_runtime: '15m', grace: '2m' };
    const stored = of({ preemption });
    expect(stored.configuration.preemption).toEqual({
      ...{ mode: 'priority', min_runtime: 900, grace: 120 },
    });
    expect(fleetPlanAction(of({}), stored)).toBe('update');
    expect(diffFleetSpecs(of({}), stored).changed).toEqual(['configuration.preemption']);
    expect(prepareFleetSpec(of({}), { current: stored })).toEqual({ ok: true, spec: stored });
    expect(prepareFleetSpec(of({ preemption: null }), { current: stored })).toMatchObject({
      spec: { configuration: expect.not.objectContaining({ preemption: expect.anything() }) },
    });
  });

  it('of maintenance apply in place, and clients without our keys keep it', () => {
    const maintenance = { schedule: '0 2 * * sun', duration: '4h' };
    const stored = fleet({ nodes: 2, maintenance });
    expect(stored.configuration.maintenance).toEqual({
      ...{ schedule: ['0 2 * * sun'], duration: 14_400, lead: 3600 },
    });
    expect(fleetPlanAction(fleet({ nodes: 2 }), stored)).toBe('update');
    expect(prepareFleetSpec(fleet({ nodes: 2 }), { current: stored })).toEqual({
      ...{ ok: true, spec: stored },
    });
    const removed = prepareFleetSpec(fleet({ nodes: 2, maintenance: null }), { current: stored });
    expect(removed).toMatchObject({
      spec: { configuration: expect.not.objectContaining({ maintenance: expect.anything() }) },
    });
    const always = fleet({ nodes: 2, maintenance: { schedule: '0 * * * *', duration: '1h' } });
    expect(prepareFleetSpec(always)).toMatchObject({
      ...{ ok: false, message: expect.stringMatching(/^`maintenance` leaves no time between/) },
    });
  });

  it('name the hosts that are added and removed', () => {
    expect(diffFleetSpecs(ssh(['a', 'b']), ssh(['b', 'c']))).toMatchObject({
      addedHosts: ['c:22'],
      removedHosts: ['a:22'],
    });
  });

  it('from cloud to hosts are none in place', () => {
    expect(diffFleetSpecs(fleet({ nodes: 1 }), ssh(['a'])).reason).toMatch(
      /cloud instances and SSH/,
    );
  });

  it('are not detected in a copy without keys', () => {
    expect(sameFleetSpec(ssh(['a']), ssh(['a'], { ssh_key: null }))).toBe(true);
    expect(sameFleetSpec(ssh(['a']), ssh(['b']))).toBe(false);
  });

  it('are not detected in a copy of a client without our keys', () => {
    const stored = ssh([{ hostname: 'a', price: 2 }], { price: 1 });
    const configuration = { ...stored.configuration, shared_volumes_path: '/mnt' };
    expect(sameFleetSpec({ ...stored, configuration }, ssh(['a']))).toBe(true);
  });
});
