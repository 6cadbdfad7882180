/**
 * Requests of the official command line, Python API and web UI, as recorded with dstack 0.22.5,
 * sent
 * to our server: the same status, and answers of the same form. Differences are reviewed in
 * `recorded-deviations.json`.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FleetSpec } from '@dstack/contract/wire';
import type { FleetRecord, InstanceRecord } from '@dstack/core';
import { fleetRecord, instanceRecord } from '@dstack/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_OFFER } from './testing/offers.ts';
import { Ids, shapeDifferences } from './testing/recorded-shapes.ts';
import { startTestServer, type TestAnswer, type TestServer } from './testing/test-server.ts';

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string | Readonly<Record<string, string>> | null;
  readonly api_version: string | null;
  readonly authorized: boolean;
  readonly request: never;
  readonly request_type?: string;
  readonly response_type?: string;
  readonly status: number;
  readonly response: never;
}

interface Deviation {
  /** `*`: wherever this call occurs. */
  readonly flow: string;
  readonly call: string;
  readonly difference: string;
  readonly reason: string;
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../testdata/http/${name}`, import.meta.url), 'utf8'));

const recorded = read('recorded-flows.json') as Readonly<Record<string, Exchange[]>>;
const reviewed = read('recorded-deviations.json') as {
  readonly left_out: readonly { readonly flow: string; readonly reason: string }[];
  readonly deviations: readonly Deviation[];
};

/** In this order: later ones need what these create, or that it does not exist yet. */
const FIRST = [
  'project-add',
  'fleet-list',
  'apply-refused',
  'run-get-after-refusal',
  'apply-attached',
  'apply-env-fails',
  'secret-set',
];
/** The others need what these delete. */
const LAST = ['stop', 'stop-abort', 'aborted-is-terminated', 'secret-delete', 'fleet-delete'];

let server: TestServer;
const ids = new Ids();
const found: Omit<Deviation, 'reason'>[] = [];

beforeAll(async () => {
  server = await startTestServer();
  await insertHosts();
});
afterAll(() => server.close());

describe('recorded traffic', () => {
  const rank = (flow: string) =>
    FIRST.includes(flow) ? FIRST.indexOf(flow) - FIRST.length : LAST.indexOf(flow) + 1;
  const leftOut = new Set(reviewed.left_out.map(({ flow }) => flow));
  const flows = Object.keys(recorded)
    .filter((flow) => !leftOut.has(flow))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));

  it.each(flows)(
    '%s is answered like dstack 0.22.5, except for reviewed differences',
    async (flow) => {
      const before = found.length;
      if (flow === 'apply-rerun-finished') await finishRun('add080');
      for (const exchange of recorded[flow] ?? []) await replay(flow, exchange);
      const known = reviewed.deviations.filter((one) => one.flow === flow);
      expect(found.slice(before)).toEqual(known.map(({ reason: _reason, ...one }) => one));
    },
  );

  it('every deviation has a reason', () => {
    const all = [...reviewed.left_out, ...reviewed.deviations];
    expect(all.filter((one) => one.reason.length < 20)).toEqual([]);
    expect(all.filter(({ flow }) => flow !== '*' && !(flow in recorded))).toEqual([]);
  });
});

async function replay(flow: string, exchange: Exchange): Promise<void> {
  // Pages and files of the web UI are not part of the API.
  if (exchange.method === 'GET' && !exchange.path.startsWith('/api/')) return;
  const answer = await send(exchange);
  ids.learn(exchange.response, answer.body ?? null);
  const call = `${exchange.method} ${exchange.path.replaceAll(/[a-z]+dd080/g, '{run}')}`;
  const note = (difference: string) => {
    const one = { flow, call, difference };
    const isKnown = reviewed.deviations.some(
      (known) => known.flow === '*' && known.call === call && known.difference === difference,
    );
    if (isKnown) return;
    if (!found.some((other) => JSON.stringify(other) === JSON.stringify(one))) found.push(one);
  };
  if (answer.status !== exchange.status) {
    note(`status ${answer.status}, not ${exchange.status}`);
    return;
  }
  const differences = shapeDifferences(exchange.response, answer.body);
  for (const difference of differences) note(difference);
}

function send(exchange: Exchange): Promise<TestAnswer> {
  const { method, path, query, api_version, request } = ids.translate(exchange);
  const search = typeof query === 'string' ? query : new URLSearchParams(query ?? {}).toString();
  const url = search ? `${path}?${search}` : path;
  const headers: Record<string, string> = api_version ? { 'x-api-version': api_version } : {};
  const isWrong = exchange.authorized && exchange.status === 403;
  const token = isWrong ? 'wrong' : exchange.authorized ? server.token : null;
  if (!exchange.request_type) {
    return server.call(url, request ?? undefined, { method, headers, token });
  }
  // The recording contains only an upload's type and size.
  const boundary = /boundary=(.+)$/.exec(exchange.request_type)?.[1] ?? '';
  const name = hash('sha256', 'tar');
  const head = `Content-Disposition: form-data; name="file"; filename="${name}"`;
  const raw = `--${boundary}\r\n${head}\r\n\r\ntar\r\n--${boundary}--\r\n`;
  headers['content-type'] = exchange.request_type;
  return server.call(url, undefined, { method, headers, token, raw });
}

/** The end that a host would report: no loops run here. */
async function finishRun(name: string): Promise<void> {
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  const view = await server.store.runs.byName(projectId, name);
  if (view === null) throw new Error(`no run ${name}`);
  const set = { status: 'done' as const };
  const { id, version } = view.run;
  const outcome = await server.store.engine.apply([
    { type: 'run.update', id, version, set },
    ...view.jobs.map((job) => ({
      type: 'job.update' as const,
      id: job.id,
      version: job.version,
      set,
    })),
  ]);
  expect(outcome).toBe('applied');
}

/** The recorded server's fleet `th`: two SSH hosts, idle. */
async function insertHosts(): Promise<void> {
  const { now, newId } = server.deps.context();
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  const fleet = sshFleet(newId(), projectId, now);
  const build = () => ({ fleet, instances: [] });
  await server.store.engine.createFleet({ projectId, name: { exact: 'th' }, build });
  const instances = [0, 1].map((num) => host(newId(), num, fleet));
  const outcome = await server.store.engine.apply(
    instances.map((instance) => ({ type: 'instance.insert' as const, instance })),
  );
  expect(outcome).toBe('applied');
}

function sshFleet(id: string, projectId: string, createdAt: number): FleetRecord {
  const spec = FleetSpec.parse({
    configuration: {
      type: 'fleet',
      name: 'th',
      placement: 'cluster',
      blocks: 2,
      ssh_config: {
        user: 'root',
        hosts: [{ hostname: '10.1.0.2' }, { hostname: '10.1.0.3' }],
      },
    },
    configuration_path: 'fleet.dstack.yml',
    profile: { name: 'default' },
  });
  return fleetRecord({ id, projectId, name: 'th', spec, createdAt, version: 0 });
}

function host(id: string, num: number, fleet: FleetRecord): InstanceRecord {
  const machine = { ...LOCAL_OFFER.instance, name: 'ssh' };
  const disk = { size_mib: 204_800 };
  const offer = {
    ...LOCAL_OFFER,
    backend: 'remote' as const,
    region: 'remote',
    instance: { ...machine, resources: { ...machine.resources, disk } },
    availability: 'idle' as const,
    instance_runtime: 'shim' as const,
    total_blocks: 2,
  };
  return instanceRecord({
    ...{ id, projectId: fleet.projectId, fleetId: fleet.id, instanceNum: num, name: `th-${num}` },
    ...{ price: 0, offer, provisioningData: null, totalBlocks: 2, idleSeconds: null },
    ...{ handle: { id, data: null }, createdAt: fleet.createdAt, version: 0 },
  });
}
