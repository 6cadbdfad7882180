/** A gateway whose program lies, at the built server: nothing foreign is opened, booked, answered or changed. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Installation,
  type PostgresCluster,
  postgresBinaries,
  startPostgres,
} from '@dstack/testkit';
import { jobProgram } from '@dstack/testkit/job-programs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Query, withSqlite } from './aged-database.ts';
import { type HostileGatewayBuild, hostileGatewayBuild } from './hostile-gateway-build.ts';
import { applyFleet, configuration, isRunning, newInstallation, untilRun } from './installation.ts';
import { freePort } from './serving.ts';
import { until, waitFor } from './until.ts';

const app = jobProgram(join(import.meta.dirname, 'service-app.ts'));
const binaries = postgresBinaries();

let cluster: PostgresCluster | null = null;
let build: HostileGatewayBuild;
let home: Installation | null = null;
beforeEach(() => {
  build = hostileGatewayBuild();
});
beforeAll(async () => {
  if (binaries !== null) cluster = await startPostgres(binaries);
});
afterEach(async () => {
  await home?.dstack(['gateway', 'delete', 'edge', '-y', '--force']);
  await home?.dispose();
  home = null;
  build.dispose();
});
afterAll(() => cluster?.stop());

const received = (is: (message: Readonly<Record<string, unknown>>) => boolean) =>
  waitFor(
    () => build.received().find(is),
    (found) => found !== undefined,
    () => JSON.stringify(build.received().slice(-5)),
  );

interface Job {
  readonly run: string;
  readonly job: string;
  readonly host: string;
}

async function service(
  installation: Installation,
  name: string,
  lines: readonly string[],
  project = 'main',
): Promise<void> {
  const yaml = [
    ...['type: service', `name: ${name}`, 'port: 8000', `commands: ['exec ${app}']`],
    ...['resources: {gpu: 0}', 'https: auto', ...lines],
  ].join('\n');
  const file = configuration(installation, `${name}.yml`, `${yaml}\n`);
  await installation.ok('apply', '-f', file, '-y', '-d', '--project', project);
}

const now = () => Math.floor(Date.now() / 1000);
const today = () => Math.floor(Date.now() / 86_400_000);

describe
  .skipIf(!existsSync('/usr/sbin/nginx'))
  .each(binaries === null ? ['SQLite'] : ['SQLite', 'PostgreSQL'])('a server on %s', (kind) => {
  it('obeys a lying gateway about nothing that is not behind it', {
    timeout: 240_000,
  }, async () => {
    const made = kind === 'SQLite' ? null : ((await cluster?.createDatabase()) ?? null);
    const ports = [await freePort(), await freePort()];
    const one = newInstallation(
      {
        DSTACK_GATEWAY_HTTP_PORT: String(ports[0]),
        DSTACK_GATEWAY_HTTPS_PORT: String(ports[1]),
        DSTACK_LOCAL_MAX_INSTANCES: '8',
        ...(made !== null && { DSTACK_DATABASE_URL: made.url }),
      },
      build.program,
    );
    home = one;
    await one.startServer();
    await applyFleet(one, '0..6');
    await one.api('/api/projects/create', { project_name: 'lab' });
    await one.api('/api/users/create', { username: 'bob', global_role: 'user' });
    const yaml =
      "type: gateway\nname: edge\nbackend: remote\nregion: local\ndomain: '*.apps.test'\ncertificate: null\n";
    await one.ok('apply', '-f', configuration(one, 'edge.yml', yaml), '-y');
    await service(one, 'own', ['model: parrot', 'gateway: edge']);
    await service(one, 'inner', ['model: owl', 'gateway: false']);
    await service(one, 'asleep', [
      ...['gateway: false', 'replicas: 0..1', 'scaling: {metric: rps, target: 1}'],
    ]);
    await untilRun(one, 'own', isRunning);
    await untilRun(one, 'inner', isRunning);

    const query: Query =
      made === null
        ? (sql) => withSqlite(one, (ask) => ask(sql))
        : async (sql) => (await cluster?.query(sql, made.name)) ?? [];
    const jobOf = async (name: string): Promise<Job> => {
      const [row] = await query(
        `select r.id as run, j.id as job, i.host_id as host from jobs j join runs r on r.id = j.run_id
          join instances i on i.id = j.instance_id where r.name = '${name}'`,
      );
      return row as unknown as Job;
    };
    const [own, inner] = [await jobOf('own'), await jobOf('inner')];
    const [asleep] = await query(`select id from runs where name = 'asleep'`);

    // The link works, and what belongs to the gateway is obeyed.
    await received(({ type }) => type === 'services');
    const allowed: string = randomUUID();
    const refused: readonly string[] = Array.from({ length: 5 }, () => randomUUID());
    const tunnel = (id: string | undefined, more: object) => ({
      ...{ type: 'tunnel', id, host_id: own.host, job_id: own.job, port: 8000, ...more },
    });
    build.send(tunnel(allowed, {}));
    await until(() => build.opened().includes(allowed));

    const admit = (n: number, more: object) => ({
      ...{ type: 'admit', n, project: 'main', method: 'GET', limits: true, address: '192.0.2.7' },
      ...{ authorization: `Bearer ${one.token()}`, ...more },
    });
    const use = (more: object) => ({
      ...{ project: 'main', user: 'admin', model: 'parrot', day: today(), requests: 1, aborted: 0 },
      ...{ estimated: 0, prompt_tokens: 3, completion_tokens: 4, ...more },
    });
    const none = { answered: {}, slices: [] };
    build.send(
      tunnel(refused[0], { port: 22 }),
      tunnel(refused[1], { port: 8888 }),
      tunnel(refused[2], { job_id: inner.job, host_id: inner.host }),
      tunnel(refused[3], { host_id: 'elsewhere' }),
      tunnel(refused[4], { job_id: randomUUID() }),
      admit(71, { project: 'lab' }),
      admit(72, { project: 'missing' }),
      { type: 'is-token', n: 73, text: 'a-guess-at-a-token' },
      { type: 'why', n: 74, run_id: inner.run },
      {
        ...{ type: 'counts', n: 75, batch: randomUUID(), waiting: [asleep?.id, inner.run] },
        counts: [asleep?.id, inner.run].map((run_id) => ({ run_id, second: now(), requests: 500 })),
      },
      {
        ...{ type: 'usage', n: 76, batch: randomUUID() },
        uses: [use({}), ...[use({ project: 'lab' }), use({ model: 'owl' }), use({ user: 'bob' })]],
      },
      {
        ...{ type: 'load', worker: 'w' },
        slots: [
          { run_id: inner.run, slot: Math.floor(now() / 5), busy_ms: 9999, latencies: { 3: 1 } },
        ],
      },
      {
        type: 'figures',
        services: [
          {
            ...{ run_id: inner.run, in_flight: 999, held: 999, ejected: 1 },
            ...{ requests: none, mirrored: none },
          },
        ],
      },
      { type: 'accessed', n: 1, pages: [{ process: 'p', next: 0, skipped: 0, records: [] }] },
      { type: 'log', n: 1, next: '0', skipped: false, lines: [] },
      { type: 'renewing', n: 1, domains: ['bank.test'] },
      { type: 'idle', job_id: inner.job },
      {
        ...{ type: 'dns', n: 77, action: 'add', name: '_acme-challenge.bank.test' },
        value: 'x'.repeat(43),
      },
      admit(78, { authorization: 'Bearer a-guess' }),
    );
    const answer = (n: number) => received((message) => message.n === n);
    expect(await answer(71)).toMatchObject({ type: 'admitted', user: null, status: 403 });
    expect(await answer(72)).toMatchObject({ type: 'admitted', user: null });
    expect(await answer(73)).toMatchObject({ type: 'token', own: false });
    expect(await answer(74)).toMatchObject({ type: 'because', status: 404 });
    await answer(75);
    await answer(76);
    expect(await answer(77)).toMatchObject({ type: 'dns-done', error: expect.any(String) });
    expect(await answer(78)).toMatchObject({ type: 'admitted', user: null });

    expect(build.opened().filter((id) => refused.includes(id))).toEqual([]);
    const used = await query(
      `select u.name as who, p.name as project, m.model from model_usage m
        join users u on u.id = m.user_id join projects p on p.id = m.project_id`,
    );
    expect(used.map((row) => ({ ...row }))).toEqual([
      { who: 'admin', project: 'main', model: 'parrot' },
    ]);
    const foreign = [asleep?.id, inner.run].map((id) => `'${id}'`).join(', ');
    for (const table of ['service_requests', 'service_load']) {
      expect(await query(`select * from ${table} where run_id in (${foreign})`)).toEqual([]);
    }
    expect(await query(`select id from jobs where run_id = '${asleep?.id}'`)).toEqual([]);
    // Nothing that the server has pushed is of what is not behind it.
    const pushed = JSON.stringify(build.received());
    for (const secret of [inner.job, String(asleep?.id), 'owl', 'bob', one.token()]) {
      expect(pushed).not.toContain(secret);
    }
  });
});
