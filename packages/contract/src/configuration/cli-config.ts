import * as z from 'zod';
import { bool, optional, string } from './scalars.ts';
import { choice, named } from './schema-kit.ts';

export const CliProject = z.strictObject({
  name: string(),
  url: string(),
  token: string(),
  default: optional(bool()),
});
export type CliProject = z.infer<typeof CliProject>;

/** Entries of old versions; accepted and dropped. */
const LegacyRepo = z.strictObject({
  path: string(),
  repo_id: string(),
  repo_type: choice(['remote', 'local', 'virtual']),
  ssh_key_path: optional(string()),
});

/** `~/.dstack/config.yml`. */
export const CliConfig = named(
  'GlobalConfig',
  z
    .strictObject({
      projects: z.array(CliProject).default([]),
      repos: z.array(LegacyRepo).default([]),
    })
    .transform(({ projects }) => ({ projects })),
);
export type CliConfig = z.infer<typeof CliConfig>;
