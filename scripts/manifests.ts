/**
 * Writes the plain manifests of `deploy/kubernetes`, which are the Helm chart rendered with some values:
 * `node scripts/manifests.ts`. It needs Go, from which it builds Helm.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { helm } from '@dstack/testkit/helm';

const root = resolve(import.meta.dirname, '..');
const CHART = join(root, 'deploy', 'helm', 'dstack');
const FOLDER = join(root, 'deploy', 'kubernetes');
const NAMESPACE = 'dstack';

interface Manifest {
  readonly about: readonly string[];
  readonly args: readonly string[];
}

/** By the name of the file. */
const MANIFESTS: Readonly<Record<string, Manifest>> = {
  'dstack.yaml': {
    about: [
      'Two dstack servers on a PostgreSQL database, with this cluster as a backend. They need a Secret',
      '`dstack` in the namespace `dstack`: see "The server on Kubernetes" in the documentation.',
    ],
    args: [],
  },
  'dstack-sqlite.yaml': {
    about: [
      'One dstack server with its database in a volume, and this cluster as a backend. It needs a Secret',
      '`dstack` in the namespace `dstack`: see "The server on Kubernetes" in the documentation.',
    ],
    args: ['--set', 'database.type=sqlite,replicas=1'],
  },
  'server-rbac.yaml': {
    about: [
      'The rights of a dstack server that runs elsewhere. Its jobs run in the namespace `dstack-jobs`;',
      'change the name here and in the contexts of its kubeconfig for another one.',
    ],
    args: ['service-account', 'rbac'].flatMap((name) => ['--show-only', `templates/${name}.yaml`]),
  },
};

/** The content of all manifests, by the name of the file. */
export async function manifests(): Promise<ReadonlyMap<string, string>> {
  const made = Object.entries(MANIFESTS).map(async ([name, { about, args }]) => {
    const rendered = await helm(['template', 'dstack', CHART, '--namespace', NAMESPACE, ...args]);
    const head = [
      ...about,
      'Rendered from the chart `deploy/helm/dstack` by `scripts/manifests.ts`.',
    ];
    const namespace = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${NAMESPACE}\n`;
    const text = `${head.map((line) => `# ${line}\n`).join('')}${namespace}${withoutHelm(rendered)}`;
    return [name, text] as const;
  });
  return new Map(await Promise.all(made));
}

/** The lines that have a meaning for Helm only. */
function withoutHelm(rendered: string): string {
  return rendered
    .replaceAll(/^# Source: .*\n/gm, '')
    .replaceAll(/^ *app\.kubernetes\.io\/managed-by: Helm\n/gm, '')
    .replaceAll(/^ {2}annotations:\n {4}#.*\n {4}helm\.sh\/resource-policy: keep\n/gm, '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [name, text] of await manifests()) writeFileSync(join(FOLDER, name), text);
}
