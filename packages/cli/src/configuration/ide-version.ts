import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Cli } from '../context.ts';
import type { ApplicableRun } from './types.ts';

type Ide = 'vscode' | 'cursor' | 'windsurf' | 'zed';
type DetectableIde = Exclude<Ide, 'zed'>;

/** The command that each IDE puts into PATH. */
const PROGRAMS: Readonly<Record<DetectableIde, string>> = {
  vscode: 'code',
  cursor: 'cursor',
  windsurf: 'windsurf',
};

const TITLES = { vscode: 'VS Code', cursor: 'Cursor', windsurf: 'Windsurf' } as const;

const ANSWER_MS = 10_000;

/**
 * Fills in the version of the IDE on the user's computer, so that its server can be installed in
 * the run before the first connection. Without a version the IDE installs its server itself.
 */
export async function withIdeVersion(
  configuration: ApplicableRun,
  cli: Pick<Cli, 'env' | 'io'>,
): Promise<ApplicableRun> {
  if (configuration.type !== 'dev-environment') return configuration;
  const { ide, version } = configuration;
  if (!ide || ide === 'zed' || version) return configuration;
  const found = await detectIdeVersion(ide, cli.env);
  if (found !== null) return { ...configuration, version: found };
  cli.io.info(
    `${TITLES[ide]} was not found (no \`${PROGRAMS[ide]}\` in PATH): it will install its server ` +
      'when it connects. To install it earlier, set `version` in the configuration.',
  );
  return configuration;
}

/** The value for `version` of a dev environment: the commit; for Windsurf `version@commit`. */
export async function detectIdeVersion(
  ide: DetectableIde,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  if (ide === 'windsurf') return windsurfVersion(env);
  // Version, commit and architecture, a line each.
  const lines = (await versionText(PROGRAMS[ide], env))?.split(/\r?\n/) ?? [];
  const commit = lines[1]?.trim() ?? '';
  return /^[0-9a-f]{7,64}$/.test(commit) ? commit : null;
}

function versionText(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { env: env as NodeJS.ProcessEnv, timeout: ANSWER_MS };
    execFile(program, ['--version'], options, (error, out) => resolve(error === null ? out : null));
  });
}

/**
 * The command prints too little; the product description in one of its parent folders has the rest.
 */
async function windsurfVersion(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    const program = await realpath(join(directory, PROGRAMS.windsurf)).catch(() => null);
    if (program === null) continue;
    for (let at = dirname(program); at !== dirname(at); at = dirname(at)) {
      for (const path of ['product.json', 'resources/app/product.json']) {
        const found = windsurfProduct(await readFile(join(at, path), 'utf8').catch(() => ''));
        if (found !== null) return found;
      }
    }
  }
  return null;
}

function windsurfProduct(text: string): string | null {
  try {
    const { windsurfVersion: version, commit } = JSON.parse(text) as Record<string, unknown>;
    const given = typeof version === 'string' && typeof commit === 'string';
    return given && /^[a-f0-9]+$/.test(commit) ? `${version}@${commit}` : null;
  } catch {
    // The file is missing, or belongs to another program.
    return null;
  }
}
