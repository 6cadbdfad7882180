import * as z from 'zod';
import { InactivityDuration } from './durations.ts';
import { PortMapping } from './port-mapping.ts';
import { checkImageChoice, withRules } from './rules.ts';
import { runShape } from './run-base.ts';
import { optional, string } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

/** Editors that a dev environment installs; none = SSH only. */
export const IDES = ['vscode', 'cursor', 'windsurf', 'zed'] as const;

const IDE = choice(IDES, 'literal_error');

/** `version@commit`, from which the download URL of Windsurf's server is built. */
const WINDSURF_VERSION = /^.+@[a-f0-9]+$/;

export const DevEnvironmentConfiguration = named(
  'DevEnvironmentConfiguration',
  withRules(
    closed({
      ide: optional(IDE),
      version: optional(string()),
      init: z.array(string()).default([]),
      inactivity_duration: InactivityDuration.default(null),
      ports: z.array(PortMapping).default([]),
      type: choice(['dev-environment'], 'literal_error').default('dev-environment'),
      ...runShape,
    }),
    (dev, broken) => {
      checkImageChoice(dev, broken);
      if (dev.entrypoint !== null) {
        broken(['entrypoint'], "can't be set for a dev environment: remove it", ['entrypoint']);
      }
      if (dev.version !== null && dev.ide === null) {
        broken(['version', 'ide'], 'has a version without ide: add ide, or remove version');
      }
      if (dev.ide === 'windsurf' && dev.version != null && !WINDSURF_VERSION.test(dev.version)) {
        broken(
          ['version', 'ide'],
          `has an invalid version of Windsurf: it looks like '1.106.0@8951cd3' (version@commit), got '${dev.version}'`,
        );
      }
      if (dev.dstack && dev.inactivity_duration !== null) {
        broken(
          ['dstack', 'inactivity_duration'],
          "can't have inactivity_duration with dstack: true: remove one of them",
        );
      }
    },
  ),
);
export type DevEnvironmentConfiguration = z.infer<typeof DevEnvironmentConfiguration>;
