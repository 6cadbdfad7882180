import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@dstack/contract/wire';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { Cli, Connection } from '../../context.ts';
import { relativeTime } from '../../format/time.ts';
import { runStatusText } from '../../runs/run-status.ts';

/** A candidate; shells that can show a description show it beside the value. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

export type NameKind =
  | 'active-run'
  | 'run'
  | 'fleet'
  | 'instance'
  | 'volume'
  | 'gateway'
  | 'secret'
  | 'export'
  | 'import'
  | 'token'
  | 'user'
  | 'member';

/** A user does not wait longer for a completion. */
const BUDGET_MS = 1500;
/** How long names are used again: the user presses TAB several times for one line. */
const FRESH_MS = 10_000;

/** Names of the project's objects, from a small cache or the server. Rejects if there is no answer. */
export async function namesOf(kind: NameKind, cli: Cli): Promise<readonly Candidate[]> {
  const connection = await cli.connect();
  const path = cachePath(kind, connection, cli);
  const kept = await readCache(path, cli.ownNow());
  if (kept !== null) return kept;
  const found = await withTimeout(() => load(kind, connection, cli.now()), {
    ms: BUDGET_MS,
    onTimeout: () => null,
  });
  if (found === null) return [];
  await writeCache(path, { at: cli.ownNow(), found }).catch(() => {
    // A cache that cannot be written only makes the next completion slower.
  });
  return found;
}

/** The names depend on what the token may see. */
function cachePath(kind: NameKind, { address }: Connection, cli: Cli): string {
  const root = cli.env.XDG_CACHE_HOME || join(cli.home, '.cache');
  const key = JSON.stringify([address.url, address.project, address.token, kind]);
  const name = createHash('sha256').update(key).digest('hex').slice(0, 24);
  return join(root, 'dstack', 'completion', `${name}.json`);
}

interface Cached {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly found: readonly Candidate[];
}

async function readCache(path: string, now: number): Promise<readonly Candidate[] | null> {
  try {
    const { at, found } = JSON.parse(await readFile(path, 'utf8')) as Cached;
    const age = now - at;
    return age >= 0 && age < FRESH_MS && Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

async function writeCache(path: string, cached: Cached): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, JSON.stringify(cached), { mode: 0o600 });
  await rename(temporary, path);
}

async function load(
  kind: NameKind,
  connection: Connection,
  now: number,
): Promise<readonly Candidate[]> {
  const { client, project } = connection;
  const named = async (list: Promise<readonly { name: string; status?: string }[]>) =>
    (await list).map(({ name, status }) =>
      status ? { value: name, description: status } : { value: name },
    );
  switch (kind) {
    case 'run':
    case 'active-run':
      return runNames(connection, kind === 'active-run', now);
    case 'fleet':
      return named(project.fleets.list());
    case 'instance':
      return (await project.fleets.list()).flatMap((fleet) =>
        fleet.instances.map(({ name, status }) => ({ value: name, description: status })),
      );
    case 'volume':
      return named(project.volumes.list());
    case 'gateway':
      return named(project.gateways.list());
    case 'secret':
      return named(project.secrets.list());
    case 'token':
      return named(project.serviceTokens.list());
    case 'export':
      return (await project.exports.list()).exports.map(({ name }) => ({ value: name }));
    case 'import':
      return (await project.imports.list()).imports.map(({ export: source }) => ({
        value: `${source.project_name}/${source.name}`,
      }));
    case 'user':
      return (await client.users.list()).map(({ username }) => ({ value: username }));
    case 'member':
      return (await client.projects.get(project.name)).members.map(({ user, project_role }) => ({
        value: user.username,
        description: project_role,
      }));
  }
}

async function runNames(
  { client, project }: Connection,
  onlyActive: boolean,
  now: number,
): Promise<readonly Candidate[]> {
  const runs = await client.listRuns({
    project_name: project.name,
    only_active: onlyActive,
    include_jobs: false,
    limit: 100,
  });
  const byName = new Map<string, Candidate>();
  // Newest first: of several runs of a name, the newest is the one that commands use.
  for (const run of runs) {
    const value = run.run_spec.run_name ?? '';
    if (!byName.has(value)) byName.set(value, { value, description: describe(run, now) });
  }
  return [...byName.values()];
}

function describe(run: Run, now: number): string {
  const age = run.submitted_at ? relativeTime(run.submitted_at, now) : '';
  return [runStatusText(run).text, age].filter((part) => part !== '').join(', ');
}
