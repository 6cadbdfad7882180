import { type Env, oneOf, SettingsError } from './environment.ts';

/** What the server's own machine is to jobs. */
export interface LocalSettings {
  readonly executor: 'auto' | 'docker' | 'process';
  /** Projects that may run jobs here; null = `main`, and only while the server is private. */
  readonly projects: readonly string[] | null;
  /** Whether jobs here may do what gives them the machine: `privileged`, its directories, its users. */
  readonly trusted: boolean;
}

export function localSettings(env: Env): LocalSettings {
  return {
    executor: oneOf(env, 'DSTACK_LOCAL_EXECUTOR', ['auto', 'docker', 'process']),
    projects: projects(env.DSTACK_LOCAL_PROJECTS),
    trusted: trusted(env.DSTACK_LOCAL_TRUSTED ?? ''),
  };
}

/** An empty list is a list: nobody. */
function projects(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** No flag like others: whoever writes 0 must not open the machine. */
function trusted(text: string): boolean {
  switch (text.trim().toLowerCase()) {
    case '1':
    case 'true':
      return true;
    case '':
    case '0':
    case 'false':
      return false;
    default:
      throw new SettingsError(`DSTACK_LOCAL_TRUSTED is ${JSON.stringify(text)}; it may be 1 or 0`);
  }
}
