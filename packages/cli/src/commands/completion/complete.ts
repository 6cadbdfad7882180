import { withTimeout } from '@dstack/contract/with-timeout';
import { ConfigFile } from '../../config/config-file.ts';
import type { Cli, Connection } from '../../context.ts';
import { COMMANDS } from '../../program.ts';

/** A user does not wait longer for a completion. */
const BUDGET_MS = 1500;

/** Names come from the server; other characters could be executed by the shell. */
const WORD = /^-{0,2}[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Prints the candidates for the last word, one a line. Never fails. */
export async function complete(words: readonly string[], cli: Cli): Promise<void> {
  try {
    const found = await candidates(words, cli);
    const current = words.at(-1) ?? '';
    for (const candidate of found) {
      if (candidate.startsWith(current) && WORD.test(candidate)) cli.io.print(candidate);
    }
  } catch {
    // If completion fails, nothing is printed: an error text would garble the prompt.
  }
}

async function candidates(words: readonly string[], cli: Cli): Promise<string[]> {
  const [name = '', ...rest] = words;
  const current = words.at(-1) ?? '';
  const before = words.at(-2) ?? '';
  if (words.length < 2) return COMMANDS.map((c) => c.name);
  if (before === '--project') return (await ConfigFile.load(cli.home)).projects.map((p) => p.name);
  const command = await declared(name, cli);
  const children = command?.commands ?? [];
  const child = children.find((c) => c.name() === rest[0]);
  if (current.startsWith('-')) {
    const options = [...(command?.options ?? []), ...(child?.options ?? [])];
    return ['--help', '--project', ...options.flatMap((o) => (o.long ? [o.long] : []))];
  }
  if (before.startsWith('--target-') || before.startsWith('--within-')) {
    return entityNames(before.replace(/^--(target|within)-/, ''), cli);
  }
  if (before === '--fleet') return entityNames('fleet', cli);
  if (children.length > 0 && child === undefined) return children.map((c) => c.name());
  if (name === 'explain') return explained(rest, cli);
  return entityNames(name === 'project' ? 'project' : name, cli);
}

async function declared(name: string, cli: Cli) {
  const entry = COMMANDS.find((c) => c.name === name || c.alias === name);
  if (entry === undefined) return undefined;
  const [{ Command }, declare] = await Promise.all([import('commander'), entry.load()]);
  const program = new Command('dstack');
  declare(program, { ...cli, args: [] });
  return program.commands[0];
}

/** The name of a run, or a kind followed by a name of that kind. */
async function explained(rest: readonly string[], cli: Cli): Promise<string[]> {
  const [kind = ''] = rest;
  if (rest.length < 2) {
    const { KINDS } = await import('../explain/explain.ts');
    return [...Object.keys(KINDS), ...(await entityNames('explain', cli))];
  }
  return entityNames(kind === 'service' ? 'explain' : kind, cli);
}

const RUN_COMMANDS = ['attach', 'logs', 'stop', 'metrics', 'run', 'wait', 'explain'];

async function entityNames(kind: string, cli: Cli): Promise<string[]> {
  if (kind === 'project') return (await ConfigFile.load(cli.home)).projects.map((p) => p.name);
  const connection = await cli.connect();
  return withTimeout(() => listNames(kind, connection), { ms: BUDGET_MS, onTimeout: () => [] });
}

async function listNames(kind: string, { client, project }: Connection): Promise<string[]> {
  if (RUN_COMMANDS.includes(kind)) {
    const runs = await client.listRuns({
      project_name: project.name,
      only_active: kind !== 'logs' && kind !== 'explain',
      include_jobs: false,
      limit: 100,
    });
    return [...new Set(runs.map((run) => run.run_spec.run_name ?? ''))];
  }
  const lists: Readonly<Record<string, () => Promise<readonly { name: string }[]>>> = {
    fleet: () => project.fleets.list(),
    volume: () => project.volumes.list(),
    gateway: () => project.gateways.list(),
    secret: () => project.secrets.list(),
    export: async () => (await project.exports.list()).exports,
  };
  return ((await lists[kind]?.()) ?? []).map((entity) => entity.name);
}
