import * as z from 'zod';
import { bool, optional, string } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

export const CliProject = closed({
  name: string(),
  url: string(),
  token: string(),
  default: optional(bool()),
});
export type CliProject = z.infer<typeof CliProject>;

/** Entries of old versions; accepted and dropped. */
const LegacyRepo = closed({
  path: string(),
  repo_id: string(),
  repo_type: choice(['remote', 'local', 'virtual']),
  ssh_key_path: optional(string()),
});

/** `~/.dstack/config.yml`. */
export const CliConfig = named(
  'GlobalConfig',
  closed({
    projects: z.array(CliProject).default([]),
    repos: z.array(LegacyRepo).default([]),
  }).transform(({ projects }) => ({ projects })),
);
export type CliConfig = z.infer<typeof CliConfig>;
