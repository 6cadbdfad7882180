import { type Env, oneOf } from './environment.ts';

/** What the server's own machine is to jobs. */
export interface LocalSettings {
  readonly executor: 'auto' | 'docker' | 'process';
  /** Projects that may run jobs here; null = `main`, and only while the server is private. */
  readonly projects: readonly string[] | null;
}

export function localSettings(env: Env): LocalSettings {
  return {
    executor: oneOf(env, 'DSTACK_LOCAL_EXECUTOR', ['auto', 'docker', 'process']),
    projects: projects(env.DSTACK_LOCAL_PROJECTS),
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
