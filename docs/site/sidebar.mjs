import { readdirSync } from 'node:fs';

const pages = (...slugs) => slugs.map((slug) => ({ slug }));

/** The pages in the order in which readers need them. */
const groups = [
  {
    label: 'Start',
    items: pages(
      'quickstart',
      'first-run',
      'installation',
      'server-on-kubernetes',
      'operations',
      'comparison',
    ),
  },
  {
    label: 'Concepts',
    items: pages(
      'projects',
      'users',
      'sign-in',
      'fleets',
      'ssh-fleets',
      'backends',
      'kubernetes',
      'slurm',
      'runs',
      'arrays',
      'services',
      'volumes',
      'gateways',
      'secrets',
      'quotas',
      'events',
    ),
  },
  {
    label: 'Guides',
    items: pages(
      'logs',
      'costs',
      'attach-and-ssh',
      'exec-and-ports',
      'dev-environments',
      'clusters',
      'ci',
      'agents',
      'web-ui',
      'explain',
      'images',
      'health',
      'local-machine',
      'tokens',
      'settings',
    ),
  },
  {
    label: 'Reference',
    items: pages(
      'configuration',
      'reference/configurations',
      'reference/profiles',
      'reference/server-config',
      'reference/cli',
      'exit-codes',
      'json-output',
      'reference/json',
      'reference/http-api',
      'reference/helm',
      'environment',
    ),
  },
  {
    label: 'More',
    items: pages('troubleshooting', 'doctor', 'security', 'glossary', 'changelog'),
  },
];

const listed = new Set(groups.flatMap(({ items }) => items.map(({ slug }) => slug)));

/** Pages that no group names yet are guides. `architecture` is for developers of dstack. */
const others = readdirSync(new URL('..', import.meta.url))
  .filter((name) => name.endsWith('.md') && name !== 'architecture.md')
  .map((name) => name.replace(/\.md$/, ''))
  .filter((slug) => !listed.has(slug));

export const sidebar = groups.map((group) =>
  group.label === 'Guides' ? { ...group, items: [...group.items, ...pages(...others)] } : group,
);
