import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { ConfigFile } from '../../config/config-file.ts';
import type { Cli } from '../../context.ts';
import { CancelledError, CliError, UsageError } from '../../errors.ts';
import { integerOption } from '../../options.ts';
import { productVersion } from '../../version.ts';
import { runServerBackup, runServerRestore, type ServerBackups } from './backup.ts';
import { runServerOrphans } from './orphans.ts';
import { runServerUsage } from './usage.ts';

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  readonly token: string | null;
  /** Whether project `main` becomes the default; null = ask if there is a terminal. */
  readonly updateDefault: boolean | null;
}

export interface AgentImageOptions {
  readonly file: string;
  readonly arch: 'x64' | 'arm64';
  readonly name: string;
}

/** Relative to the bundle `dist/cli/…`, and to this source file. */
const ENTRIES = ['../server/main.js', '../../../../server/src/main.ts'];

const LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

export function declareServer(program: Command, cli: Cli, run: typeof runServer = runServer): void {
  const { env } = cli;
  const server = program
    .command('server')
    .description('Start a server')
    .addOption(
      new Option('--host <host>', 'address to listen on')
        .env('DSTACK_SERVER_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      new Option('-p, --port <port>', 'port to listen on')
        .env('DSTACK_SERVER_PORT')
        .default(3000)
        .argParser(integerOption(0, 65_535)),
    )
    .addOption(
      new Option('-l, --log-level <level>', LEVELS.join(', '))
        .env('DSTACK_SERVER_LOG_LEVEL')
        .default('info'),
    )
    .option('-d', 'the same as --log-level debug (also: --debug)')
    .option('-y, --yes', 'make project main the default one on this computer')
    .option('-n, --no', 'leave the default project unchanged')
    .addOption(
      new Option('--token <token>', 'token of the admin, used when it is first created').env(
        'DSTACK_SERVER_ADMIN_TOKEN',
      ),
    )
    .action((o) =>
      run(
        {
          host: o.host,
          port: o.port,
          logLevel: cli.debug || o.d ? 'debug' : String(o.logLevel).toLowerCase(),
          token: o.token ?? null,
          updateDefault: updateDefault(cli.args, o.yes === true, env),
        },
        cli,
      ),
    );
  server
    .command('agent-image <file>')
    .description('Write the image that brings the agent into pods, for docker load')
    .addOption(
      new Option('--arch <arch>', 'architecture of the nodes')
        .choices(['x64', 'arm64'])
        .default('x64'),
    )
    .option('--name <name>', 'name of the image', 'dstack/agent')
    .action((file, { arch, name }) => writeAgentImage({ file, arch, name }, cli));
  server
    .command('backup <file>')
    .description('Write the database and config.yml into a file, also while the server runs')
    .option('--json', 'print JSON: the file, and when and by which version it was made')
    .action((file, { json = false }) => runServerBackup({ file, json }, () => loadServer(), cli));
  server
    .command('restore <file>')
    .description('Put a backup in the place of the database and config.yml of a stopped server')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print JSON: what the backup is, the lost runs, and the files that are kept')
    .action((file, o) => {
      // The option of `dstack server` itself takes the word from this one.
      const yes = o.yes === true || server.opts().yes === true;
      return runServerRestore({ file, yes, json: o.json ?? false }, () => loadServer(), cli);
    });
  server
    .command('orphans')
    .description("List what carries the server's tag at a provider and is in none of its records")
    .option('--json', 'print JSON: the answer of the server')
    .action((options) => runServerOrphans({ json: options.json ?? false }, cli));
  server
    .command('usage')
    .description('Show what takes how much on the server, and what it will delete')
    .option('--json', 'print JSON: the answer of the server')
    .action((options) => runServerUsage({ json: options.json ?? false }, cli));
}

function updateDefault(words: readonly string[], yes: boolean, env: Cli['env']): boolean | null {
  if (yes) return true;
  if (words.includes('-n') || words.includes('--no')) return false;
  if (env.DSTACK_UPDATE_DEFAULT_PROJECT !== undefined) return true;
  if (env.DSTACK_DO_NOT_UPDATE_DEFAULT_PROJECT !== undefined) return false;
  return null;
}

/** The parts of the server's entry that this command uses. */
interface ServerModule extends ServerBackups {
  readonly startServer: (options: {
    readonly host?: string;
    readonly port?: number;
    readonly logLevel?: string;
    readonly token?: string;
    readonly updateDefaultProject?: boolean;
  }) => Promise<RunningServer>;
  readonly writeAgentImage: (options: AgentImageOptions) => Promise<void>;
  readonly StartError: new (...args: never[]) => Error & { readonly next: string | null };
  readonly SettingsError: new (...args: never[]) => Error;
}

type LocalUse =
  | {
      readonly kind: 'on';
      readonly executor: 'docker' | 'process';
      readonly projects: readonly string[];
      readonly trusted: boolean;
      readonly apart: 'containers' | 'users' | 'nothing';
      readonly remaining: number;
    }
  | { readonly kind: 'off'; readonly reason: string };

interface RunningServer {
  readonly url: string;
  readonly adminToken: string;
  readonly firstStart: boolean;
  readonly projectName: string;
  readonly updateDefaultProject: boolean | null;
  readonly local: LocalUse;
  readonly warnings: readonly string[];
  close(options?: { readonly keepsServices: boolean }): Promise<void>;
}

/**
 * Runs the server in this process until Ctrl-C or SIGTERM; a second one ends it at once. The server
 * is loaded by path, not imported: the bundle of the command line must not contain it.
 */
export async function runServer(options: ServerOptions, cli: Cli): Promise<void> {
  const stop = new AbortController();
  const ended = new AbortController();
  const given = Promise.withResolvers<never>();
  let isOneKey = true;
  const release = cli.onInterrupt(
    (signal) => {
      if (!stop.signal.aborted) {
        cli.io.info('Stopping... (jobs continue)');
        stop.abort(signal);
        void pressedOnce(cli, ended.signal).then(() => {
          isOneKey = false;
        });
      } else if (signal === 'SIGTERM' || !isOneKey) given.reject(new CancelledError());
    },
    { terminate: true },
  );
  try {
    await Promise.race([serve(options, cli, stop.signal), given.promise]);
  } finally {
    ended.abort();
    release();
  }
}

/**
 * One Ctrl-C may arrive as two signals: a parent process may forward it to a child that has already
 * received it.
 */
const SAME_KEY_MS = 250;

/** Resolves when a further SIGINT can only come from another Ctrl-C. */
async function pressedOnce(cli: Cli, ended: AbortSignal): Promise<void> {
  try {
    await cli.wait(SAME_KEY_MS, ended);
    cli.io.info('Still stopping; press Ctrl-C again to end the server at once.');
  } catch {
    // The server has already stopped.
  }
}

async function serve(options: ServerOptions, cli: Cli, stop: AbortSignal): Promise<void> {
  const { host, port, logLevel, token, updateDefault } = options;
  const server = await start(await loadServer(), {
    host,
    port,
    logLevel,
    ...(token === null ? {} : { token }),
    ...(updateDefault === null ? {} : { updateDefaultProject: updateDefault }),
  });
  try {
    if (!stop.aborted) await introduce(server, token, cli, stop);
    await aborted(stop);
  } finally {
    // A service manager starts the server again: until then services are served without it.
    await server.close({ keepsServices: stop.reason === 'SIGTERM' });
  }
}

async function writeAgentImage(options: AgentImageOptions, cli: Cli): Promise<void> {
  await (await loadServer()).writeAgentImage(options);
  cli.io.info(
    `${options.file} has the image ${options.name}; import it: docker load -i ${options.file}`,
  );
}

async function loadServer(): Promise<ServerModule> {
  const entry = ENTRIES.map((path) => new URL(path, import.meta.url)).find((url) =>
    existsSync(fileURLToPath(url)),
  );
  if (entry === undefined) {
    throw new CliError('The server is not built', { next: 'npm run build' });
  }
  return (await import(entry.href)) as ServerModule;
}

async function start(
  module: ServerModule,
  options: Parameters<ServerModule['startServer']>[0],
): Promise<RunningServer> {
  try {
    return await module.startServer(options);
  } catch (error) {
    if (error instanceof module.StartError) {
      throw new CliError(error.message, { next: error.next ?? undefined, cause: error });
    }
    if (error instanceof module.SettingsError)
      throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Prints the server's address, token and warnings. Resolves at once when `stop` is aborted. */
async function introduce(
  server: RunningServer,
  given: string | null,
  cli: Cli,
  stop: AbortSignal,
): Promise<void> {
  // Logs of containers are kept: the token of a secret does not belong there.
  if (server.firstStart && server.adminToken !== given) {
    cli.io.print(`The admin token is ${cli.io.paint('code', server.adminToken)}`);
  } else if (server.firstStart) {
    cli.io.print('The admin token is the given one (--token or DSTACK_SERVER_ADMIN_TOKEN)');
  }
  const unknown = (error: Error): null => {
    if (error instanceof CancelledError) throw error;
    const why = error instanceof CliError && error.why ? ` (${error.why})` : '';
    cli.io.warn(`The project could not be added to the configuration: ${error.message}${why}`);
    return null;
  };
  // Written before the announcement: a program that waits for the announcement may run commands at
  // once.
  const question = await makeKnown(server, cli).catch(unknown);
  await announce(server, cli);
  // The server serves requests while the question is open. Ctrl-C ends the question.
  if (question) await Promise.race([question().catch(unknown), aborted(stop)]);
}

async function announce(server: RunningServer, cli: Cli): Promise<void> {
  const { io } = cli;
  io.print(`The dstack server ${await productVersion()} is running at ${server.url}`);
  io.info(localText(server.local));
  for (const warning of server.warnings) io.warn(warning);
}

const HOW = {
  containers: 'in Docker containers',
  users: 'as plain processes, each job with a user id of its own',
  nothing: "as plain processes of this server's user: they can read everything that this user can",
};

/** One line: who may run jobs on the server host, and how. */
export function localText(local: LocalUse): string {
  if (local.kind === 'off') return `Jobs do not run on the server's machine: ${local.reason}.`;
  const { apart, projects, trusted } = local;
  const whose =
    projects.length === 1 ? `project ${projects[0]}` : `projects ${projects.join(', ')}`;
  const power = trusted ? '; DSTACK_LOCAL_TRUSTED=1 gives them full control of it' : '';
  const text = `Jobs of ${whose} can run on the server's machine, ${HOW[apart]}${power}.`;
  return `${text}${remainingText(local)}`;
}

function remainingText({ executor, remaining }: LocalUse & { kind: 'on' }): string {
  if (remaining === 0) return '';
  const other = executor === 'docker' ? 'plain processes' : 'Docker containers';
  const count = remaining === 1 ? '1 job still runs' : `${remaining} jobs still run`;
  return ` ${count} that way; ${other} are used once the server starts without such jobs.`;
}

/**
 * Adds the server's project to the user's configuration: at once if that changes no default,
 * otherwise only on request. Returns the question that is left for the user, if any.
 */
async function makeKnown(server: RunningServer, cli: Cli): Promise<(() => Promise<void>) | null> {
  const config = await ConfigFile.load(cli.home);
  const { projectName: name, url, adminToken: token, updateDefaultProject: agreed } = server;
  const known = config.find(name);
  const other = config.default !== undefined && config.default.name !== name;
  const moved = known !== undefined && (known.url !== url || known.token !== token);
  if (agreed === false || (known !== undefined && !moved && !other)) return null;
  const put = async () => {
    config.put({ name, url, token }, true);
    await config.save();
    cli.io.info(`Configuration updated at ${config.path}`);
  };
  if (agreed === true || (!other && !moved)) {
    await put();
    return null;
  }
  if (!cli.io.interactive) {
    cli.io.info(`To use it: dstack project add --name ${name} --url ${url} --token ${token} --yes`);
    return null;
  }
  return async () => {
    const question = `Update the default project in ${config.path}?`;
    if (await cli.prompt.confirm(question, '--yes or --no', false)) await put();
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
