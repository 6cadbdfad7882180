import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReplicaAnswer, ReplicaQuestion } from '../../gateways/replica-questions.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { gatewayLogs, renewCertificates } from './logs.ts';
import { runningGateway } from './testing/running-gateway.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await runningGateway(server, 'edge');
});
afterAll(() => server.close());

const path = (action: string) => `/api/project/main/gateways/${action}`;

async function asked(answer: ReplicaAnswer | null) {
  const questions: ReplicaQuestion[] = [];
  const project = await server.store.projects.byName('main');
  if (project === null) throw new Error('there is no project main');
  const askReplica = async (_id: string, question: ReplicaQuestion) => {
    questions.push(question);
    return answer;
  };
  return { questions, project, deps: { store: server.store, askReplica } };
}

const all = { name: 'edge', replica: null, lines: 100, after: null };

it('the log of each replica is what its program answers', async () => {
  const line = { source: 'nginx' as const, level: 'error', text: 'refused' };
  const lines = [
    { ...line, time: 1_790_000_000_000 },
    { ...line, time: null },
  ];
  const answer = { type: 'log' as const, n: 1, next: '5,6', skipped: true, lines };
  const { questions, project, deps } = await asked(answer);
  expect(await gatewayLogs(deps, project, all)).toEqual({
    replicas: [
      {
        ...{ replica_num: 0, answered: true, next: '5,6', skipped: true },
        lines: [
          { ...line, time: '2026-09-21T14:13:20.000Z' },
          { ...line, time: null },
        ],
      },
    ],
  });
  await gatewayLogs(deps, project, { ...all, lines: 500, after: { 0: '5,6', 1: '7,8' } });
  expect(questions).toEqual([
    { type: 'read-log', lines: 100, after: null },
    { type: 'read-log', lines: 500, after: '5,6' },
  ]);
  const other = gatewayLogs(deps, project, { ...all, replica: 3 });
  await expect(other).rejects.toThrow(/no replica 3/);
});

it('a replica that does not answer is named', async () => {
  const { project, deps } = await asked(null);
  const log = { replica_num: 0, answered: false, next: '1,2', skipped: false, lines: [] };
  expect(await gatewayLogs(deps, project, { ...all, after: { 0: '1,2' } })).toEqual({
    replicas: [log],
  });
  const renewed = await renewCertificates(deps, project, { name: 'edge', domain: null });
  expect(renewed).toEqual({ domains: [], unanswered: [0] });
});

it('certificates that have failed are requested again, by the name in small letters', async () => {
  const { questions, project, deps } = await asked({
    type: 'renewing',
    n: 1,
    domains: ['*.apps.test'],
  });
  const renewed = await renewCertificates(deps, project, { name: 'edge', domain: 'A.Apps.test' });
  expect(renewed).toEqual({ domains: ['*.apps.test'], unanswered: [] });
  expect(questions).toEqual([{ type: 'renew', domain: 'a.apps.test' }]);
});

it('is for admins of the project of the gateway alone', async () => {
  const logs = await server.call(path('get_logs'), { name: 'edge' });
  expect([logs.status, logs.body.replicas]).toMatchObject([200, [{ answered: false }]]);
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  const members = [{ username: 'bob', project_role: 'user' }];
  await server.call('/api/projects/main/add_members', { members });
  const { body } = await server.call('/api/users/get_user', { username: 'bob' });
  const { token } = body.creds;
  for (const action of ['get_logs', 'renew_certificates']) {
    expect((await server.call(path(action), { name: 'edge' }, { token })).status).toBe(403);
    expect((await server.call(path(action), { name: 'other' })).status).toBe(400);
  }
});

it.each([{ lines: 501 }, { lines: -1 }, { replica: -1 }, { after: { 0: 'x'.repeat(65) } }])(
  'refuses %j',
  async (more) => {
    expect((await server.call(path('get_logs'), { name: 'edge', ...more })).status).toBe(422);
  },
);
