import { isFailing } from '@dstack/contract/status';
import type { BackendCheckStatus, ServerStatus } from '@dstack/contract/wire';
import { clockLead } from '../../answered-clock.ts';
import type { Cli, Connection } from '../../context.ts';
import { durationInUnits, relativeTime } from '../../format/time.ts';
import { describeFailure } from '../../report.ts';
import { orForbidden } from '../../resource-error.ts';
import { deletionText } from '../server/usage.ts';
import type { DoctorCheck } from './doctor-check.ts';

/** Clocks that differ more make tokens and times of logs confusing. */
const MOST_SKEW_MS = 30_000;

/** The share of the limit of open files at which the server warns too. */
const MANY_FILES = 0.8;

/** Ends after the first check that makes the following ones meaningless. */
export async function* serverChecks(cli: Cli): AsyncGenerator<DoctorCheck, void> {
  let connection: Connection;
  try {
    connection = await cli.connect();
  } catch (error) {
    yield await failure('project', error);
    return;
  }
  const { client, project } = connection;
  const started = performance.now();
  try {
    const { server_version: version } = await client.server.info();
    const ms = Math.round(performance.now() - started);
    const text = `${client.url} answers in ${ms} ms, API ${version ?? 'of an unknown version'}`;
    yield { name: 'server', state: 'ok', text, fix: null };
  } catch (error) {
    yield await failure('server', error);
    return;
  }
  yield* clockCheck(client.url, cli);
  let isAdmin = false;
  try {
    const user = await orForbidden(() => client.users.getMyUser());
    isAdmin = user?.global_role === 'admin';
    const who = user === null ? 'a token of a program' : `user ${user.username}`;
    const found = await client.projects.get(project.name);
    const role = found.members.find((one) => one.user.username === user?.username)?.project_role;
    const roles = [
      ...(isAdmin ? ['admin of the server'] : []),
      ...(role ? [`${role} of the project`] : []),
    ];
    const rights = roles.length > 0 ? ` (${roles.join(', ')})` : '';
    yield {
      name: 'token',
      state: 'ok',
      text: `${who}${rights}, project ${project.name}`,
      fix: null,
    };
  } catch (error) {
    yield await failure('token', error);
    return;
  }
  yield* fleetCheck(connection);
  yield* backendChecks(connection);
  if (isAdmin) {
    yield* statusChecks(connection);
    yield* sweepCheck(connection, cli);
    yield* retentionCheck(connection, cli);
  }
}

async function* clockCheck(url: string, cli: Cli): AsyncGenerator<DoctorCheck, void> {
  if (!/^https?:/.test(url)) return;
  const sentAt = cli.ownNow();
  const answer = await fetch(`${url}/healthcheck`, { signal: AbortSignal.timeout(5000) }).catch(
    () => null,
  );
  const date = Date.parse(answer?.headers.get('date') ?? '');
  if (Number.isNaN(date)) return;
  const skew = Math.abs(clockLead(date, { sentAt, receivedAt: cli.ownNow() }));
  const text =
    skew === 0
      ? 'the clocks of this computer and of the server agree'
      : `the clocks of this computer and of the server differ by ${durationInUnits(Math.ceil(skew / 1000))}`;
  const isOff = skew > MOST_SKEW_MS;
  const fix = isOff ? 'set the time of both automatically (NTP)' : null;
  yield { name: 'clock', state: isOff ? 'warning' : 'ok', text, fix };
}

/** Servers of other versions may report nothing. */
async function* statusChecks({ client }: Connection): AsyncGenerator<DoctorCheck, void> {
  const status = await client.server.status().catch(() => null);
  if (status === null) return;
  yield* serverClockCheck(status);
  yield* openFilesCheck(status);
  yield* servicesCheck(status);
}

const ENGINES: Readonly<Record<string, string>> = {
  nginx:
    'nginx answers plain requests to services without a gateway, workers of the server all others',
  workers:
    'workers of the server answer requests to services without a gateway (DSTACK_SERVER_PROXY is not nginx)',
  server:
    'the server itself answers requests to services without a gateway (DSTACK_SERVER_PROXY_WORKERS is 0)',
};

function* servicesCheck({ service_engine: engine }: ServerStatus): Generator<DoctorCheck> {
  if (engine === undefined) return;
  const text = ENGINES[engine.name] ?? `${engine.name} answers requests to services`;
  const { problem } = engine;
  yield problem === null
    ? { name: 'services', state: 'ok', text, fix: null }
    : {
        ...{ name: 'services', state: 'warning' },
        text: `${engine.name} does not run: ${problem}`,
        fix: 'see the log of the server, or start it without DSTACK_SERVER_PROXY',
      };
}

/** Servers on PostgreSQL use its time; this one's host may have another. */
function* serverClockCheck({ clock_lead_seconds: lead = 0 }: ServerStatus): Generator<DoctorCheck> {
  if (lead === 0) return;
  const side = lead > 0 ? 'ahead of' : 'behind';
  const text = `the clock of the server's host is ${Math.abs(lead)} s ${side} its database, whose time is used`;
  yield { name: 'clock', state: 'warning', text, fix: 'set the time of both automatically (NTP)' };
}

/** Each connection of the server is an open file. */
function* openFilesCheck(status: ServerStatus): Generator<DoctorCheck> {
  const { open_files: open, open_files_limit: limit } = status;
  if (open === undefined || limit === undefined) return;
  const isHigh = open >= limit * MANY_FILES;
  const fix =
    'raise LimitNOFILE of its systemd unit, or `ulimit -n` before it starts; near the limit it takes no new work';
  yield {
    name: 'files',
    state: isHigh ? 'warning' : 'ok',
    text: `the server has ${open} of at most ${limit} files open`,
    fix: isHigh ? fix : null,
  };
}

async function* fleetCheck({ project }: Connection): AsyncGenerator<DoctorCheck, void> {
  const fleets = await project.fleets.list();
  const instances = fleets.flatMap((fleet) => fleet.instances);
  const lost = instances.filter((one) => one.unreachable);
  const failing = instances.filter((one) => isFailing(one.health_status ?? 'healthy'));
  if (fleets.length === 0) {
    const fix = 'dstack init --template hello && dstack apply -f hello.dstack.yml';
    yield { name: 'fleets', state: 'warning', text: 'the project has no fleets', fix };
  } else if (lost.length > 0) {
    const text = `unreachable hosts: ${lost.map((one) => one.name).join(', ')}`;
    yield {
      name: 'fleets',
      state: 'warning',
      text,
      fix: `dstack explain instance ${lost[0]?.name}`,
    };
  } else if (failing.length > 0) {
    const [{ name, health_message: why } = { name: '' }] = failing;
    const text = `${failing.length} of ${counted(instances.length, 'instance')} cannot start jobs: ${name}${why ? `: ${why}` : ''}`;
    yield { name: 'fleets', state: 'warning', text, fix: `dstack explain instance ${name}` };
  } else {
    const text = `${counted(fleets.length, 'fleet')}, ${counted(instances.length, 'instance')}`;
    yield { name: 'fleets', state: 'ok', text, fix: null };
  }
}

/** Checks the answer of each backend of the project to the server. */
async function* backendChecks({ project }: Connection): AsyncGenerator<DoctorCheck, void> {
  const name = 'backend';
  try {
    const found = await orForbidden(() => project.backends.check());
    if (found === null) {
      const text = 'not checked: that needs the role admin in the project';
      yield { name, state: 'ok', text, fix: null };
    }
    for (const { backend, status, problem, permissions } of found ?? []) {
      const text = `${backend}: ${problem ?? 'reachable, and no permission is missing'}`;
      yield { name, ...BACKEND_REMEDIES[status], text };
      for (const { ok, problem: advice } of permissions) {
        if (ok && advice) yield { name, state: 'ok', text: `${backend}: ${advice}`, fix: null };
      }
    }
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) yield await failure(name, error);
  }
}

const BACKEND_REMEDIES: Readonly<Record<BackendCheckStatus, Pick<DoctorCheck, 'state' | 'fix'>>> = {
  ok: { state: 'ok', fix: null },
  denied: { state: 'failed', fix: 'grant it at the provider, or correct the credentials' },
  unreachable: { state: 'failed', fix: 'check the network of the server, then dstack doctor' },
  offers_only: { state: 'warning', fix: null },
};

/** Checks the difference between the resources that backends list and the database of the server. */
async function* sweepCheck({ client }: Connection, cli: Cli): AsyncGenerator<DoctorCheck, void> {
  try {
    const { sweeps, orphans } = await client.server.listOrphans();
    yield { name: 'database', state: 'ok', text: 'the server reads its records', fix: null };
    for (const { project_name, backend, swept_at, error } of sweeps) {
      const name = `backend ${backend} of project ${project_name}`;
      const fix = 'correct its credentials, or the way from the server to it';
      const when = swept_at
        ? `was compared with the records ${relativeTime(swept_at, cli.now())}`
        : 'has not been compared with the records yet';
      yield error === null
        ? { name: 'backend', state: 'ok', text: `${name} ${when}`, fix: null }
        : { name: 'backend', state: 'failed', text: `${name}: ${error}`, fix };
    }
    if (orphans.length > 0) {
      const text = `${orphans.length} resources at providers have no record`;
      yield { name: 'orphans', state: 'warning', text, fix: 'dstack server orphans' };
    }
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) yield await failure('database', error);
  }
}

/** Reports what the server will delete; nothing is printed if nothing is due. */
async function* retentionCheck(
  { client }: Connection,
  cli: Cli,
): AsyncGenerator<DoctorCheck, void> {
  const name = 'retention';
  try {
    const usage = await client.server.usage();
    const text = deletionText(usage, cli.now());
    if (text === null) return;
    const isComing = usage.deletes_from !== null && usage.due_runs > 0;
    const fix = isComing ? 'to keep them: DSTACK_SERVER_RUNS_TTL_SECONDS of the server' : null;
    yield { name, state: isComing ? 'warning' : 'ok', text, fix };
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) yield await failure(name, error);
  }
}

async function failure(name: string, error: unknown): Promise<DoctorCheck> {
  const { message, why, next } = await describeFailure(error);
  const text = why === undefined ? message : `${message}: ${why}`;
  return { name, state: 'failed', text, fix: next ?? null };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
