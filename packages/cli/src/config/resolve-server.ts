import { CliError, EXIT } from '../errors.ts';
import { ConfigFile } from './config-file.ts';
import { serverUrl } from './server-url.ts';

export interface ServerLogin {
  readonly url: string;
  readonly token: string;
  /** Null: none is given beside `DSTACK_SERVER_URL` and `DSTACK_TOKEN`. */
  readonly project: string | null;
}

/** The server to connect to, with its token and project. */
export interface ServerAddress extends ServerLogin {
  readonly project: string;
}

export interface ResolveInput {
  /** `--project`. */
  readonly project: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/**
 * The project of a login that names none: the only one that the token may use. `names`: those it may
 * use. Throws if there is none, or a choice.
 */
export function onlyProject(names: readonly string[]): string {
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  const shown = names.slice(0, 10).join(', ') + (names.length > 10 ? ', …' : '');
  throw new CliError('No project given', {
    why:
      only === undefined
        ? 'the token is valid, but its user is a member of no project'
        : `the token may use several projects: ${shown}`,
    next:
      only === undefined
        ? 'an admin adds members to projects: dstack project member add'
        : `set DSTACK_PROJECT, or pass --project ${only}`,
  });
}

/**
 * `--project`, then `DSTACK_PROJECT`, then the default of the configuration file. With both
 * `DSTACK_SERVER_URL` and `DSTACK_TOKEN` the file is not read; `DSTACK_TOKEN` alone replaces the
 * file's token.
 */
export async function resolveLogin({ project, env, home }: ResolveInput): Promise<ServerLogin> {
  const name = project ?? (env.DSTACK_PROJECT || undefined);
  const url = env.DSTACK_SERVER_URL || undefined;
  const token = env.DSTACK_TOKEN || undefined;
  if (url !== undefined && token !== undefined) {
    return { project: name ?? null, url: serverUrl(url, 'DSTACK_SERVER_URL'), token };
  }
  const config = await ConfigFile.load(home);
  const found = name === undefined ? config.default : config.find(name);
  if (found !== undefined) {
    return { project: found.name, url: found.url, token: token ?? found.token };
  }
  if (url !== undefined) {
    throw new CliError('DSTACK_TOKEN is not set', {
      why: 'DSTACK_SERVER_URL is set and works only together with it',
      next: 'export DSTACK_TOKEN=…, or unset DSTACK_SERVER_URL',
    });
  }
  throw name === undefined ? noDefault(config) : notConfigured(name, config);
}

function noDefault(config: ConfigFile): CliError {
  const first = config.projects[0];
  if (first === undefined) {
    return new CliError('No project is configured', {
      why: `${config.path} has no projects`,
      next: 'dstack project add --name main --url http://127.0.0.1:3000 --token TOKEN (or start one here: dstack server)',
    });
  }
  return new CliError('No default project, specify project name', {
    why: `none of the projects in ${config.path} is the default`,
    next: `dstack project set-default ${first.name} (or pass --project NAME)`,
  });
}

function notConfigured(name: string, config: ConfigFile): CliError {
  const names = config.projects.map((p) => p.name);
  return new CliError(`Project ${name} is not configured`, {
    exitCode: EXIT.notFound,
    why: names.length > 0 ? `configured: ${names.join(', ')}` : 'no project is configured',
    next: `dstack project add --name ${name} --url URL --token TOKEN`,
  });
}
