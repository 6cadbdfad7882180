import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { COMMANDS } from '../../program.ts';
import { type Candidate, type NameKind, namesOf } from './names.ts';
import { entryOf, type LinePosition, lineOf } from './position.ts';

/** Names come from the server; other characters could be executed by the shell. */
const WORD = /^-{0,2}[A-Za-z0-9_][A-Za-z0-9_./:-]*$/;

/** Printed where the shell itself completes the names of files. */
const FILES = ':files';

/**
 * Prints the candidates for the last word, one a line: the value, and after a tab its description.
 * `:files` alone stands for names of files. Never fails.
 */
export async function complete(words: readonly string[], cli: Cli): Promise<void> {
  try {
    const { position, project, current } = await lineOf(words, (name) => declared(name, cli));
    const inProject = project === undefined ? cli : await withProject(cli, project);
    const found = await candidates(position, inProject);
    if (found === FILES) {
      cli.io.print(FILES);
      return;
    }
    const typed = position.kind === 'value' ? position.typed : '';
    for (const { value, description } of found) {
      if (!value.startsWith(current) || !WORD.test(value)) continue;
      const text = (description ?? '').replace(/\s+/g, ' ').trim();
      cli.io.print(text ? `${typed}${value}\t${text}` : typed + value);
    }
  } catch {
    // If completion fails, nothing is printed: an error text would garble the prompt.
  }
}

async function withProject(cli: Cli, projectOption: string): Promise<Cli> {
  const { connect } = await import('../../context.ts');
  const { env, home } = cli;
  return { ...cli, projectOption, connect: () => connect({ projectOption, env, home }) };
}

async function declared(name: string, cli: Cli): Promise<Command | undefined> {
  const entry = entryOf(name);
  if (entry === undefined) return undefined;
  const [{ Command }, declare] = await Promise.all([import('commander'), entry.load()]);
  const program = new Command('dstack');
  declare(program, { ...cli, args: [] });
  return program.commands[0];
}

type Found = readonly Candidate[] | typeof FILES;

const plain = (values: readonly string[]): Candidate[] => values.map((value) => ({ value }));

async function candidates(position: LinePosition, cli: Cli): Promise<Found> {
  switch (position.kind) {
    case 'command':
      return COMMANDS.map(({ name, summary }) => ({ value: name, description: summary }));
    case 'subcommand':
    case 'option':
      return plain(position.names);
    case 'value':
      if (position.choices.length > 0) return plain(position.choices);
      return valuesOf(position.option, cli);
    case 'argument':
      return argumentsOf(position, cli);
    case 'nothing':
      return [];
  }
}

/** Options whose values are files of the user. */
const FILE_OPTIONS = new Set([
  '--file',
  '--ssh-identity',
  '--git-identity',
  '--repo',
  '--env-file',
]);

/** Arguments that are files of the user, or of a run: those are not completed. */
const PATH_ARGUMENTS = new Set(['source', 'target']);

async function valuesOf(option: string, cli: Cli): Promise<Found> {
  if (FILE_OPTIONS.has(option)) return FILES;
  const [, kind] =
    /^--(?:target-|within-|add-|remove-)?(fleet|run|volume|gateway|secret)$/.exec(option) ?? [];
  if (kind !== undefined) return namesOf(kind as NameKind, cli);
  switch (option) {
    case '--project':
      return plain(await configuredProjects(cli));
    case '--profile':
      return plain(await profileNames(cli));
    case '--backend':
      return plain((await import('@dstack/contract/wire')).BACKEND_TYPES);
    case '--gpu':
      return plain((await import('@dstack/contract')).ALL_GPU_NAMES);
    case '--help':
      return plain((await import('../../configuration/types.ts')).APPLY_TYPES);
    case '--group-by':
      return plain(['gpu', 'backend', 'region', 'count']);
    case '--include-target-type':
      return plain((await import('../event/event.ts')).TARGET_TYPES);
    default:
      return [];
  }
}

type Argument = Extract<LinePosition, { kind: 'argument' }>;

/** Commands on runs that have ended, too. */
const ALL_RUNS = new Set(['logs', 'explain', 'metrics', 'run get', 'open', 'event']);

/** The kind of object that the argument `name` of a command names. */
const NAMED: Readonly<Record<string, NameKind>> = {
  fleet: 'fleet',
  volume: 'volume',
  gateway: 'gateway',
  secret: 'secret',
  token: 'token',
  export: 'export',
  user: 'user',
};

async function argumentsOf(argument: Argument, cli: Cli): Promise<Found> {
  const { command, name, before } = argument;
  const [first = ''] = command.split(' ');
  if (PATH_ARGUMENTS.has(name)) return FILES;
  if (name === 'file' || (name === 'run-args' && before.length === 0)) return FILES;
  if (name === 'shell') return plain(['bash', 'zsh', 'fish']);
  if (name === 'project/export') return namesOf('import', cli);
  if (name === 'kind-and-name') return explained(before, cli);
  if (command.startsWith('project member ')) return membersOf(command, name, before, cli);
  if (command === 'user role' && name === 'role') return plain(['user', 'admin']);
  if (first === 'project' && name === 'name') return plain(await configuredProjects(cli));
  if (name === 'instance') {
    return (await namesOf('instance', cli)).filter(({ value }) => !before.includes(value));
  }
  if (name === 'run' || command === 'run get') return runs(command, before, cli);
  if (name === 'name' && !/ (create|add)$/.test(command)) {
    const kind = NAMED[first];
    return kind === undefined ? [] : namesOf(kind, cli);
  }
  return [];
}

async function membersOf(
  command: string,
  argument: string,
  before: readonly string[],
  cli: Cli,
): Promise<Found> {
  if (argument === 'role') return plain(['user', 'manager', 'admin']);
  const found = await namesOf(command.endsWith(' add') ? 'user' : 'member', cli);
  return found.filter(({ value }) => !before.includes(value));
}

async function runs(command: string, before: readonly string[], cli: Cli): Promise<Found> {
  const found = await namesOf(ALL_RUNS.has(command) ? 'run' : 'active-run', cli);
  return found.filter(({ value }) => !before.includes(value));
}

/** The name of a run, or a kind followed by a name of that kind. */
async function explained(before: readonly string[], cli: Cli): Promise<Found> {
  const [kind] = before;
  if (kind === undefined) {
    const { KINDS } = await import('../explain/explain.ts');
    return [...plain(Object.keys(KINDS)), ...(await namesOf('run', cli).catch(() => []))];
  }
  if (kind === 'run' || kind === 'service') return namesOf('run', cli);
  const isKnown = ['fleet', 'instance', 'volume', 'gateway'].includes(kind);
  return isKnown ? namesOf(kind as NameKind, cli) : [];
}

async function configuredProjects(cli: Cli): Promise<string[]> {
  const { ConfigFile } = await import('../../config/config-file.ts');
  return (await ConfigFile.load(cli.home)).projects.map((p) => p.name);
}

async function profileNames(cli: Cli): Promise<string[]> {
  const { loadProfiles } = await import('../../config/profiles.ts');
  const files = [await loadProfiles(cli.cwd), await loadProfiles(cli.home)];
  return [...new Set(files.flat().map((profile) => profile.name))];
}
