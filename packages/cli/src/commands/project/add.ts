import { ConfigFile } from '../../config/config-file.ts';
import { serverUrl } from '../../config/server-url.ts';
import { type Cli, clientFor } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';

export interface ProjectAddOptions {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  /** Null: ask if another project is the default. */
  readonly makeDefault: boolean | null;
}

/** Checks that the server accepts the project and token before anything is written. */
export async function runProjectAdd(options: ProjectAddOptions, cli: Cli): Promise<void> {
  const url = serverUrl(options.url, '--url');
  const client = await clientFor({ url, token: options.token }, cli.env);
  const project = await checkProject(options.name, url, () => client.projects.get(options.name));
  const config = await ConfigFile.load(cli.home);
  const current = config.default;
  const makeDefault = options.makeDefault ?? (await wantsDefault(options.name, current?.name, cli));
  config.put({ name: project.project_name, url, token: options.token }, makeDefault);
  await config.save();
  cli.io.info(`Configuration updated at ${config.path}`);
}

async function wantsDefault(name: string, current: string | undefined, cli: Cli): Promise<boolean> {
  if (current === undefined) return true;
  if (current === name) return false;
  return cli.prompt.confirm(
    `Set ${cli.io.paintErr('code', name)} as your default project?`,
    '--yes or --no',
  );
}

async function checkProject<T>(name: string, url: string, get: () => Promise<T>): Promise<T> {
  try {
    return await get();
  } catch (error) {
    const { ForbiddenError, NotFoundError } = await import('@dstack/client');
    if (error instanceof NotFoundError) {
      throw new CliError(`Project ${name} does not exist on ${url}`, {
        exitCode: EXIT.notFound,
        why: 'the server has no such project',
        next: `check the name, or open ${url} to see your projects`,
        cause: error,
      });
    }
    if (error instanceof ForbiddenError) {
      if (!/^invalid token/i.test(error.message)) throw error;
      throw new CliError(`The server at ${url} does not accept the token`, {
        exitCode: EXIT.notAllowed,
        why: 'it is wrong, or not valid any more',
        next: `copy the token from ${url} (or from the output of: dstack server)`,
        cause: error,
      });
    }
    throw error;
  }
}
