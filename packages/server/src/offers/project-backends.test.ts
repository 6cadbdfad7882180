import type { Backend, Catalog } from '@dstack/backends';
import type { Requirements } from '@dstack/contract/wire';
import { capabilitiesOf } from '@dstack/core';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../http/testing/test-server.ts';
import { offerSource } from './offer-source.ts';
import { projectBackends } from './project-backends.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const silence = () => new Promise<never>(() => {});
const local: Backend = {
  name: 'local',
  capabilities: capabilitiesOf('local'),
  signalsCapacity: true,
  offers: silence,
  instances: { create: silence, observe: silence, release: silence, list: silence },
  volumes: null,
  groups: null,
  check: silence,
};

it('a backend that never answers offers nothing, and the log has the reason', async () => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(line) });
  const backends = projectBackends({
    store: server.store,
    catalog: {} as Catalog,
    local,
    remote: { ...local, name: 'remote' },
    localProjects: new Set(['main']),
    limits: { offers: 1, call: 1 },
  });
  const project = await server.store.projects.byName('main');
  const requirements = {} as Requirements;
  const question = { key: 'q', fleetId: null, projectId: null, requirements, backends: null };
  const answers = await offerSource(backends, log).answer(project?.id ?? '', [question]);
  expect(answers.offers.get('q')).toEqual([]);
  expect(answers.notes).toEqual([
    {
      backend: 'local',
      rule: 'backend_timeout',
      text: 'it has not answered within 0.001 s',
    },
  ]);
  expect(lines.join()).toContain('local has not answered within 0.001 s, asked for offers');
});

it('orders for the machines of other servers are carried out where the own one is no capacity', async () => {
  const backends = projectBackends({
    ...{ store: server.store, catalog: {} as Catalog, localProjects: new Set<string>() },
    ...{ local: null, localElsewhere: local, remote: { ...local, name: 'remote' } },
  });
  const projectId = (await server.store.projects.byName('main'))?.id ?? '';
  expect((await backends.find(projectId, 'local'))?.name).toBe('local');
  expect((await backends.of(projectId)).map(({ name }) => name)).not.toContain('local');
});
