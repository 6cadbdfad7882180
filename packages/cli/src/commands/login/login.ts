import { createHash, randomBytes } from 'node:crypto';
import { type Client, ValidationError } from '@dstack/client';
import { errorMessage } from '@dstack/contract/error-message';
import type { Command } from 'commander';
import { ConfigFile } from '../../config/config-file.ts';
import { serverUrl } from '../../config/server-url.ts';
import { type Cli, clientFor } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { openBrowser } from '../../terminal/open-browser.ts';
import { CallbackServer } from './callback-server.ts';

export interface LoginOptions {
  readonly url: string | null;
  readonly provider: string | null;
  /** The token is read from the input; no provider is used. */
  readonly withToken: boolean;
  /** Null: ask if there is a terminal. */
  readonly makeDefault: boolean | null;
}

export function declareLogin(program: Command, cli: Cli, run: typeof runLogin = runLogin): void {
  program
    .command('login')
    .description('Log in to a server; all your projects there are configured')
    .option('--url <url>', 'URL of the server')
    .option('-p, --provider <name>', 'log-in provider, if the server has several')
    .option('--with-token', 'read a token from the input instead of opening a browser')
    .option('-y, --yes', 'make the first project the default')
    .option('-n, --no', 'leave the default project unchanged')
    .action((o) => {
      // Commander uses `--no` for a negated option without a name.
      const no = cli.args.some((word) => word === '-n' || word === '--no');
      return run(
        {
          url: o.url ?? null,
          provider: o.provider ?? null,
          withToken: o.withToken ?? false,
          makeDefault: o.yes ? true : no ? false : null,
        },
        cli,
      );
    });
}

const DEFAULT_URL = 'https://sky.dstack.ai';

export async function runLogin(options: LoginOptions, cli: Cli): Promise<void> {
  const url = await completeUrl(options.url ?? (await askForUrl(cli)), cli);
  const token = options.withToken
    ? await tokenFromInput(cli)
    : await tokenFromProvider(await clientFor({ url, token: null }, cli.env), options, cli);
  const client = await clientFor({ url, token }, cli.env);
  const projects = await client.projects.list({ include_not_joined: false });
  const names = projects.map((project) => project.project_name);
  if (names.length === 0) {
    throw new CliError('You are a member of no project', {
      why: `the account at ${url} is valid, but has no project to configure`,
      next: `create a project at ${url}, or ask to be added to one`,
    });
  }
  const config = await ConfigFile.load(cli.home);
  const makeDefault = await defaultProject(names, options, config, cli);
  for (const name of names) config.put({ name, url, token }, name === makeDefault);
  await config.save();
  cli.io.info(
    `Logged in; configured projects: ${names.join(', ')} (default: ${config.default?.name ?? 'none'})`,
  );
}

async function askForUrl(cli: Cli): Promise<string> {
  if (!cli.io.interactive)
    throw new UsageError('No server given', { next: 'dstack login --url URL' });
  const { input } = await import('@inquirer/prompts');
  return input({ message: 'URL of the server', default: DEFAULT_URL });
}

/**
 * Without a scheme, the server is requested once to find its final URL: a redirect would turn a
 * later POST into a GET.
 */
async function completeUrl(given: string, cli: Cli): Promise<string> {
  const bare = given.trim().replace(/\/+$/, '');
  if (/^https?:\/\//.test(bare)) return serverUrl(bare, 'The URL');
  const options = { signal: AbortSignal.any([cli.signal, AbortSignal.timeout(5000)]) };
  try {
    const response = await fetch(`http://${bare}`, options);
    await response.body?.cancel();
    return new URL(response.url).origin;
  } catch (error) {
    if (cli.signal.aborted) throw error;
    throw new CliError(`Cannot reach http://${bare}`, {
      why: errorMessage((error as Error).cause ?? error),
      next: 'give the complete URL: dstack login --url https://…',
      cause: error,
    });
  }
}

async function tokenFromInput(cli: Cli): Promise<string> {
  if (cli.io.interactive) cli.io.info('Paste the token, then press Ctrl-D:');
  const token = (await cli.prompt.readAll()).trim();
  if (token === '') throw new UsageError('The input contains no token');
  return token;
}

async function tokenFromProvider(client: Client, options: LoginOptions, cli: Cli): Promise<string> {
  const provider = await chooseProvider(client, options.provider, cli);
  const server = await CallbackServer.start();
  try {
    const { address, verifier } = await beginLogin(client, provider, server.port);
    const page = webPage(address);
    const expected = new URL(page).searchParams.get('state');
    cli.io.info(`Log in with your browser; if it does not open by itself, go to:\n  ${page}`);
    openBrowser(page, cli);
    const { code, state, finish } = await Promise.race([
      server.arrival(expected),
      interrupted(cli.signal),
    ]);
    try {
      const user = await client.auth.callback(provider, { code, state }, verifier);
      if (!user.creds?.token) throw new CliError('The server returned no token');
      finish(true);
      return user.creds.token;
    } catch (error) {
      finish(false);
      throw error;
    }
  } finally {
    server.close();
  }
}

/** The verifier proves that this command has begun: another program that reads the code cannot use it. */
async function beginLogin(
  client: Client,
  provider: string,
  port: number,
): Promise<{ readonly address: string; readonly verifier: string | null }> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  try {
    const { authorization_url: address } = await client.auth.authorize(provider, port, challenge);
    return { address, verifier };
  } catch (error) {
    // Official servers may refuse keys that are not theirs.
    if (!(error instanceof ValidationError)) throw error;
    const { authorization_url: address } = await client.auth.authorize(provider, port);
    return { address, verifier: null };
  }
}

async function chooseProvider(client: Client, wanted: string | null, cli: Cli): Promise<string> {
  const enabled = (await client.auth.listProviders()).filter((p) => p.enabled).map((p) => p.name);
  const [first] = enabled;
  if (first === undefined) {
    throw new CliError('The server has no log-in providers', {
      why: 'its users have tokens only',
      next: `dstack login --url ${client.url} --with-token, and paste the token`,
    });
  }
  if (wanted !== null) {
    if (enabled.includes(wanted)) return wanted;
    throw new CliError(`The server has no log-in provider ${wanted}`, {
      why: `it has: ${enabled.join(', ')}`,
      next: `dstack login --provider ${first}`,
    });
  }
  if (enabled.length === 1) return first;
  if (!cli.io.interactive) {
    throw new UsageError('The server has several log-in providers', {
      why: `they are: ${enabled.join(', ')}`,
      next: `dstack login --provider ${first}`,
    });
  }
  const { choose } = await import('../../terminal/choose.ts');
  return choose(
    'Log in with',
    enabled.map((value) => ({ value })),
  );
}

/**
 * The address comes from the server and is opened by a program, so it must be a web page: no file
 * and no option.
 */
function webPage(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.href;
  throw new CliError('The server returned an invalid address of a login page', {
    why: `the address is ${JSON.stringify(text)}`,
    next: 'report this to the administrator of the server',
  });
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The project that becomes the default; null changes nothing. */
async function defaultProject(
  names: readonly string[],
  { makeDefault }: LoginOptions,
  config: ConfigFile,
  cli: Cli,
): Promise<string | null> {
  const [first] = names;
  if (makeDefault === false || first === undefined) return null;
  if (makeDefault === true || config.default === undefined) {
    return names.length === 1 || makeDefault === true || !cli.io.interactive
      ? first
      : chooseDefault(names);
  }
  if (names.includes(config.default.name) || !cli.io.interactive) return null;
  const question = `Set ${cli.io.paintErr('code', first)} as your default project?`;
  return (await cli.prompt.confirm(question, '--yes or --no')) ? first : null;
}

async function chooseDefault(names: readonly string[]): Promise<string> {
  const { choose } = await import('../../terminal/choose.ts');
  return choose(
    'Default project',
    names.map((value) => ({ value })),
  );
}
