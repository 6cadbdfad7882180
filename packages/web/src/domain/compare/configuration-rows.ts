import type { Run } from '@dstack/contract/wire';
import { shortConfiguration } from '../runs/configuration-text.ts';

/** One key of several configurations. */
export interface ConfigurationRow {
  /** `env.LR`, `volumes[0].path`. */
  readonly key: string;
  /** In the order of the runs; null: the run does not have the key. */
  readonly values: readonly (string | null)[];
  readonly differs: boolean;
}

/** A hostile configuration has any number of keys. */
const MOST_ROWS = 500;

/** The configurations of the runs, a row for each key, in the order in which the keys first occur. */
export function configurationRows(runs: readonly Run[]): readonly ConfigurationRow[] {
  const all = runs.map((run) => leavesOf(configured(run)));
  const keys = [...new Set(all.flatMap((leaves) => [...leaves.keys()]))];
  return keys.slice(0, MOST_ROWS).map((key) => {
    const values = all.map((leaves) => leaves.get(key) ?? null);
    return { key, values, differs: new Set(values).size > 1 };
  });
}

function configured({ run_spec }: Run): object {
  const { configuration, repo_data: repo } = run_spec;
  const { name: _, ...rest } = shortConfiguration(configuration);
  if (repo?.repo_type !== 'remote') return rest;
  const { repo_name, repo_branch, repo_hash } = repo;
  return { ...rest, repo: { name: repo_name, branch: repo_branch, commit: repo_hash } };
}

function leavesOf(configuration: object): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (value: unknown, key: string): void => {
    if (value === null || value === undefined) return;
    if (Array.isArray(value)) {
      if (value.every((item) => typeof item !== 'object' || item === null)) {
        if (value.length > 0) leaves.set(key, value.map(String).join('\n'));
        return;
      }
      for (const [index, item] of value.entries()) visit(item, `${key}[${index}]`);
      return;
    }
    if (typeof value !== 'object') {
      leaves.set(key, String(value));
      return;
    }
    for (const [name, item] of Object.entries(value)) {
      visit(item, key === '' ? name : `${key}.${name}`);
    }
  };
  visit(configuration, '');
  return leaves;
}
