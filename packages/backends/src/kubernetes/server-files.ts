/** The form of a kubeconfig, and whether it leads to files and programs of the server's machine. */
import { readForeignYaml } from '@dstack/contract';
import type { AllowedConfig } from '../base/kind.ts';

type Entries = Readonly<Record<string, unknown>>;

/** Null: nothing is wrong with it. */
export function kubeconfigProblem(text: string, { serverFiles }: AllowedConfig): string | null {
  const document = readForeignYaml(text);
  const isObject = document.ok && typeof document.value === 'object';
  const file = (isObject ? document.value : null) as Entries | null;
  if (!hasEntries(file?.clusters) || !hasEntries(file?.contexts)) {
    return 'kubeconfig.data must be a kubeconfig file with clusters and contexts';
  }
  return serverFiles || file === null ? null : serverFileProblem(file);
}

/** The keys of a kubeconfig with a path or a program, by the lists of the file. */
const OF_SERVER = {
  clusters: ['cluster', ['certificate-authority']],
  users: ['user', ['tokenFile', 'client-certificate', 'client-key', 'exec']],
} as const;

/**
 * The server would send the contents of such a file to the cluster, or run the program: members of a
 * project could read its files and take its own account in a cluster.
 */
function serverFileProblem(file: Entries): string | null {
  for (const [list, [part, keys]] of Object.entries(OF_SERVER)) {
    const entries = file[list];
    for (const entry of Array.isArray(entries) ? entries : []) {
      const fields = (entry as Entries | null)?.[part];
      if (typeof fields !== 'object' || fields === null) continue;
      const key = keys.find((name) => name in fields);
      if (key === undefined) continue;
      const what = key === 'exec' ? 'runs a program' : 'reads a file';
      return `kubeconfig.data: ${list} have ${part}.${key}, which ${what} on the machine of the server: use a token or ${INLINE}, or let a global admin add the backend`;
    }
  }
  return null;
}

const INLINE = 'the keys that end in -data (`kubectl config view --raw --flatten`)';

function hasEntries(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}
