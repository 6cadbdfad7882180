import type { Command } from 'commander';
import { ConfigFile, type ConfiguredProject } from '../../config/config-file.ts';
import { resolveLogin } from '../../config/resolve-server.ts';
import { type Cli, clientFor } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { renderTable } from '../../terminal/table.ts';
import { runProjectAdd } from './add.ts';
import { declareMember } from './member.ts';
import { declareRetention } from './retention.ts';

export function declareProject(
  program: Command,
  cli: Cli,
  run = {
    list: runProjectList,
    add: runProjectAdd,
    delete: runProjectDelete,
    setDefault: runSetDefault,
  },
): void {
  const project = program
    .command('project')
    .description('Manage the projects configured on this computer (~/.dstack/config.yml)')
    .option('-v, --verbose', 'show the user of each project');
  addOutputOptions(project).action((options) =>
    runProjectMenu(outputOptions(options), cli, run.list),
  );
  addOutputOptions(
    project
      .command('list')
      .description('List the configured projects')
      .option('-v, --verbose', 'show the user of each project'),
  ).action((_options, command: Command) => run.list(outputOptions(command.optsWithGlobals()), cli));
  project
    .command('add')
    .description('Add a project, or update it')
    .requiredOption('--name <name>', 'name of the project on the server')
    .requiredOption('--url <url>', 'URL of the server')
    .requiredOption('--token <token>', "the user's token")
    .option('-y, --yes', 'make it the default without asking')
    .option('-n, --no', 'do not make it the default, without asking')
    .action((options) =>
      run.add(
        {
          name: options.name,
          url: options.url,
          token: options.token,
          makeDefault: options.yes ? true : cli.args.some(isNo) ? false : null,
        },
        cli,
      ),
    );
  project
    .command('delete')
    .description('Remove a project from the configuration (nothing changes on the server)')
    .argument('[name]', 'name of the project')
    .option('--name <name>', 'name of the project')
    .option('-y, --yes', 'do not ask')
    .action((name, options) =>
      run.delete({ name: options.name ?? name ?? null, yes: options.yes ?? false }, cli),
    );
  project
    .command('set-default')
    .description('Choose the default project')
    .argument('[name]', 'name of the project; without it a menu is shown')
    .action((name) => run.setDefault({ name: name ?? null }, cli));
  declareMember(project, cli);
  declareRetention(project, cli);
}

/** Commander reads `--no` as a negation, so the argument itself is searched for. */
function isNo(word: string): boolean {
  return word === '--no' || word === '-n';
}

/** `dstack project` alone: a menu on a terminal, otherwise the list. */
async function runProjectMenu(
  options: OutputOptions,
  cli: Cli,
  list: typeof runProjectList,
): Promise<void> {
  const isList = options.verbose || options.format !== 'table';
  if (!cli.io.interactive || isList) return list(options, cli);
  return runSetDefault({ name: null }, cli);
}

export async function runProjectList(options: OutputOptions, cli: Cli): Promise<void> {
  const projects = (await projectsOfToken(cli)) ?? (await ConfigFile.load(cli.home)).projects;
  const users = options.verbose ? await Promise.all(projects.map((p) => userName(p, cli))) : null;
  const listing = {
    key: 'projects',
    // Without tokens.
    load: async () => projects.map((p) => ({ name: p.name, url: p.url, default: p.isDefault })),
    name: (p: { name: string }) => p.name,
    table: () => projectTable(projects, users, cli),
    empty: 'No projects. Add one: dstack login --url URL, or dstack project add',
  };
  await showList(listing, { ...options, watch: false }, cli);
}

/** With `DSTACK_SERVER_URL` and `DSTACK_TOKEN` no command reads the file: all projects that the token may use. Null: it does. */
async function projectsOfToken(cli: Cli): Promise<readonly ConfiguredProject[] | null> {
  const { home, env } = cli;
  if (!env.DSTACK_SERVER_URL || !env.DSTACK_TOKEN) return null;
  const { url, token, project } = await resolveLogin({ project: undefined, env, home });
  const client = await clientFor({ url, token }, env);
  const found = await client.projects.list({ include_not_joined: false });
  return found.map(({ project_name: name }) => {
    return { name, url, token, isDefault: name === project || found.length === 1 };
  });
}

function projectTable(
  projects: readonly ConfiguredProject[],
  users: readonly string[] | null,
  cli: Cli,
): string {
  const columns = [
    { header: 'PROJECT', keep: true },
    { header: 'URL', keep: true },
    ...(users ? [{ header: 'USER' }] : []),
    { header: 'DEFAULT', keep: true },
  ];
  const rows = projects.map((p, i) => [
    p.name,
    p.url,
    ...(users ? [users[i] ?? ''] : []),
    p.isDefault ? '✓' : '',
  ]);
  return renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint });
}

async function userName(project: ConfiguredProject, cli: Cli): Promise<string> {
  const client = await clientFor(project, cli.env);
  try {
    return (await client.users.getMyUser()).username;
  } catch (error) {
    const { ApiError } = await import('@dstack/client');
    // One unreachable server must not hide the other projects.
    return error instanceof ApiError ? '(invalid token)' : '(no connection)';
  }
}

export async function runProjectDelete(
  options: { name: string | null; yes: boolean },
  cli: Cli,
): Promise<void> {
  const config = await ConfigFile.load(cli.home);
  if (options.name === null) {
    throw new CliError('No project name given', {
      exitCode: 2,
      next: 'dstack project delete --name NAME',
    });
  }
  requireProject(config, options.name);
  if (!options.yes && !(await cli.prompt.confirm(`Delete project ${options.name}?`))) return;
  config.remove(options.name);
  await config.save();
  cli.io.info('OK');
}

export async function runSetDefault(options: { name: string | null }, cli: Cli): Promise<void> {
  const config = await ConfigFile.load(cli.home);
  const name = options.name ?? (await chooseProject(config, cli));
  requireProject(config, name);
  config.setDefault(name);
  await config.save();
  cli.io.info('OK');
}

async function chooseProject(config: ConfigFile, cli: Cli): Promise<string> {
  if (!cli.io.interactive || config.projects.length === 0) {
    throw new CliError('No project name given', {
      exitCode: 2,
      next: 'dstack project set-default NAME',
    });
  }
  const { choose } = await import('../../terminal/choose.ts');
  const choices = config.projects.map((p) => ({ value: p.name, name: `${p.name} (${p.url})` }));
  return choose('Default project', choices, config.default?.name);
}

function requireProject(config: ConfigFile, name: string): void {
  if (config.find(name) !== undefined) return;
  throw new CliError(`Project ${name} is not configured`, {
    exitCode: EXIT.notFound,
    why: `configured: ${config.projects.map((p) => p.name).join(', ') || 'none'}`,
    next: 'dstack project list',
  });
}
