/** Who has written a backend's configuration, stored beside it for this server only. */
import type { BackendRecord } from '@dstack/store';

type Config = BackendRecord['config'];

const KEY = 'written_by';
const OPERATOR = 'operator';

/** Marks a configuration of `config.yml` or of a global admin. */
export function operatorsConfig(config: Config): Config {
  return { ...config, [KEY]: OPERATOR };
}

/** The configuration as it was written. One that is not marked is of a user. */
export function withoutOrigin({ [KEY]: writer, ...config }: Config): {
  readonly config: Config;
  readonly isOperators: boolean;
} {
  return { config, isOperators: writer === OPERATOR };
}
