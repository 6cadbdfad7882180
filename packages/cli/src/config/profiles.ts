import { join } from 'node:path';
import type { Profile } from '@dstack/contract/wire';
import { configurationError } from '../configuration/configuration-error.ts';
import { warnAbout } from '../configuration/load-file.ts';
import type { Cli } from '../context.ts';
import { CliError, UsageError } from '../errors.ts';
import { readIfThere } from './config-file.ts';

const FILE_NAMES = ['profiles.yml', 'profiles.yaml'] as const;

/** `--profile NAME`, `--no-profile` (false), or neither (null). */
export type ProfileChoice = string | false | null;

/**
 * The profile to apply: `--no-profile`, `--profile`, `DSTACK_NO_PROFILE`, `DSTACK_PROFILE`, the
 * default profile of `./.dstack/profiles.yml`, that of `~/.dstack/profiles.yml`, an empty one.
 */
export async function selectProfile(
  choice: ProfileChoice,
  cli: Pick<Cli, 'cwd' | 'home' | 'env' | 'io'>,
): Promise<Profile> {
  // A broken file is reported even if no profile of it is used.
  const files = [await loadProfiles(cli.cwd, cli.io), await loadProfiles(cli.home, cli.io)];
  if (choice === false) return emptyProfile('no-profile');
  if (choice === null && isSwitchedOff(cli.env.DSTACK_NO_PROFILE))
    return emptyProfile('no-profile');
  const name = choice ?? (cli.env.DSTACK_PROFILE || null);
  for (const profiles of files) {
    const found = profiles.find((p) => (name === null ? p.default : p.name === name));
    if (found !== undefined) return found;
  }
  if (name === null) return emptyProfile('default');
  const known = files.flat().map((p) => p.name);
  throw new CliError(`No such profile: ${name}`, {
    why: known.length > 0 ? `known: ${known.join(', ')}` : 'no profiles are defined',
    next: `add it to ${join('.dstack', FILE_NAMES[0])}`,
  });
}

function isSwitchedOff(value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  if (/^(1|true|on)$/i.test(value)) return true;
  if (/^(0|false|off)$/i.test(value)) return false;
  throw new UsageError(`DSTACK_NO_PROFILE cannot be "${value}"`, {
    why: 'allowed: 1, true, on, 0, false, off',
  });
}

/**
 * The profiles of `.dstack/profiles.yml` in a directory. With `io`, values that YAML reads differently
 * from how they look are printed.
 */
export async function loadProfiles(directory: string, io?: Cli['io']): Promise<Profile[]> {
  for (const name of FILE_NAMES) {
    const path = join(directory, '.dstack', name);
    const text = await readIfThere(path);
    if (text !== null) return parseProfiles(path, text, io);
  }
  return [];
}

async function parseProfiles(path: string, text: string, io?: Cli['io']): Promise<Profile[]> {
  const { parseConfiguration } = await import('@dstack/contract');
  const parsed = parseConfiguration(text, 'profiles');
  // `dstack validate` reads configurations only.
  if (!parsed.ok) throw await configurationError(path, text, parsed.errors, 'correct the file');
  if (io !== undefined) await warnAbout(parsed.warnings, path, text, io);
  return parsed.value.profiles as Profile[];
}

/** A profile without any setting, in its complete wire form. */
async function emptyProfile(name: string): Promise<Profile> {
  const [profile] = await parseProfiles(
    '<empty profile>',
    JSON.stringify({ profiles: [{ name }] }),
  );
  if (profile === undefined) throw new Error('an empty profile could not be created');
  return profile;
}
