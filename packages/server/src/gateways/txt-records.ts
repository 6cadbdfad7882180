/** TXT records, by which projects prove that host names are theirs. */
import { Resolver } from 'node:dns/promises';
import type { ProjectRecord } from '@dstack/store';

/** The values of a name; empty = it has none. Rejects if DNS does not answer. */
export type ReadTxt = (name: string) => Promise<readonly string[]>;

const MISSING: readonly unknown[] = ['ENOTFOUND', 'ENODATA'];

/** `dns`: `host:port`; null = the servers of the system. */
export function txtReader(dns: string | null): ReadTxt {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (dns !== null) resolver.setServers([dns]);
  return async (name) => {
    try {
      return (await resolver.resolveTxt(name)).map((parts) => parts.join(''));
    } catch (error) {
      if (MISSING.includes((error as { readonly code?: unknown }).code)) return [];
      throw error;
    }
  };
}

/** The record that proves a name for a project. */
export function proofOf(host: string, project: Pick<ProjectRecord, 'id'>) {
  const name = `_dstack.${host}`;
  const value = `dstack-project=${project.id}`;
  return { name, value, record: `${name} TXT "${value}"` };
}
