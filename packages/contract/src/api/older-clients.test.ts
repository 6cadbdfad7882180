import { describe, expect, it } from 'vitest';
import { adaptRequest, adaptResponse } from './older-clients.ts';
import { parseVersion } from './version-check.ts';

const client = (version: string) => parseVersion(version);
const taskRun = (configuration: object) => ({
  run_spec: { configuration: { type: 'task', nodes: null, groups: null, ...configuration } },
});
const serviceRun = (configuration: object) => ({
  run_spec: { configuration: { type: 'service', groups: null, ...configuration } },
});
const configurationOf = (run: unknown) =>
  (run as { run_spec: { configuration: Record<string, unknown> } }).run_spec.configuration;

describe('answers for older clients', () => {
  it('have a plain number of nodes for clients that state a version, and not for the newest', () => {
    expect(configurationOf(adaptResponse('runs.get', taskRun({}), client('0.22.5'))).nodes).toBe(1);
    expect(configurationOf(adaptResponse('runs.get', taskRun({}), null)).nodes).toBeNull();
  });

  it('keep an open range of nodes of task groups', () => {
    const run = taskRun({ groups: [{ name: 'a', nodes: 2 }] });
    expect(adaptResponse('runs.get', run, client('0.22.5'))).toEqual(run);
  });

  it('have the groups of a service under replicas before 0.21.3', () => {
    const groups = [{ name: 'a', replicas: { min: 2, max: 2 }, router: { type: 'smg' } }];
    const run = serviceRun({ groups, replicas: null });
    expect(configurationOf(adaptResponse('runs.get', run, client('0.21.2')))).toMatchObject({
      groups: null,
      replicas: [{ name: 'a', count: { min: 2, max: 2 }, router: { type: 'sglang' } }],
    });
    expect(configurationOf(adaptResponse('runs.get', run, client('0.21.3')))).toMatchObject({
      groups: [{ name: 'a', replicas: { min: 2, max: 2 }, router: { type: 'sglang' } }],
      replicas: null,
    });
  });

  it('have the fields of a service that very old clients require', () => {
    const run = serviceRun({
      probes: null,
      https: null,
      gateway: { project: 'p', name: 'g' },
      fleets: [{ project: null, name: 'f' }],
    });
    expect(configurationOf(adaptResponse('runs.get', run, client('0.20.7')))).toMatchObject({
      probes: [],
      https: true,
      gateway: 'p/g',
      fleets: ['f'],
    });
  });

  it('are adapted in every run inside a plan', () => {
    const run = taskRun({});
    const plan = { ...run, effective_run_spec: run.run_spec, current_resource: run };
    const adapted = adaptResponse('runs.get_plan', plan, client('0.22.0')) as {
      effective_run_spec: { configuration: unknown };
      current_resource: unknown;
    };
    expect(adapted.effective_run_spec.configuration).toMatchObject({ nodes: 1 });
    expect(configurationOf(adapted.current_resource).nodes).toBe(1);
  });

  it('are bare lists of exports before 0.22', () => {
    const answer = { exports: [{ name: 'e' }], warnings: [] };
    expect(adaptResponse('exports.list', answer, client('0.21.9'))).toEqual([{ name: 'e' }]);
    expect(adaptResponse('exports.list', answer, client('0.22.0'))).toBe(answer);
  });

  it('have the addresses of gateways before 0.20.25', () => {
    const gateway = {
      hostname: null,
      configuration: { default: null },
      replicas: [{ hostname: '1.1.1.1' }, { hostname: '2.2.2.2' }],
    };
    expect(adaptResponse('gateways.list', [gateway], client('0.20.24'))).toMatchObject([
      { instance_id: '', ip_address: '1.1.1.1\n2.2.2.2', hostname: '1.1.1.1\n2.2.2.2' },
    ]);
  });
});

describe('requests of older clients', () => {
  it('may have a null router of a gateway, which is dropped', () => {
    const body = { configuration: { name: 'g', router: null } };
    expect(adaptRequest('gateways.create', body, null)).toEqual({ configuration: { name: 'g' } });
  });

  it('ask for offers only by the command ":" before 0.21', () => {
    const body = { run_spec: { configuration: { type: 'task', commands: [':'] } } };
    expect(adaptRequest('runs.get_plan', body, client('0.20.30'))).toMatchObject({
      for_offers_only: true,
    });
    expect(adaptRequest('runs.get_plan', body, client('0.21.0'))).toBe(body);
  });

  it('start in /workflow before 0.19.27', () => {
    const body = { plan: { run_spec: { configuration: { type: 'task' } } } };
    expect(adaptRequest('runs.apply', body, client('0.19.26'))).toEqual({
      plan: { run_spec: { configuration: { type: 'task', working_dir: '/workflow' } } },
    });
  });
});
