/** Credentials for the registry of a job's image, as the container tools of clusters read them. */
import type { RegistryAuth } from '@dstack/contract';
import { RefusedOrderError } from '../base/errors.ts';

/** Netrc files have no quotes, and enroot looks for the user with a regular expression. */
const USER = /^[A-Za-z0-9._$+~-]{1,200}$/;
/** enroot gives a password that begins with `$` to a shell. */
const PASSWORD = /^[!#%-~][!-~]{0,4000}$/;
const QUOTES = /["\\]/;

const DOCKER_HUB = ['registry-1.docker.io', 'auth.docker.io', 'docker.io', 'index.docker.io'];

/** Throws `RefusedOrderError` for what the file cannot contain. */
export function checkCredentials({ username, password }: RegistryAuth): void {
  if (!USER.test(username)) {
    throw new RefusedOrderError(
      'Slurm clusters take a `registry_auth.username` of letters, digits and . _ $ + ~ - only',
    );
  }
  if (!PASSWORD.test(password) || QUOTES.test(password)) {
    throw new RefusedOrderError(
      'Slurm clusters take no `registry_auth.password` with blanks, quotes or backslashes, or with $ as its first character: create a token',
    );
  }
}

/**
 * The file `.credentials` of enroot. Tokens may come from another host than the registry, which only
 * its answer names: the last line is for that one.
 */
export function enrootCredentials(image: string, { username, password }: RegistryAuth): string {
  const registry = registryInName(image)?.replace(/:\d+$/, '');
  const machines = registry === undefined ? DOCKER_HUB : [registry];
  const login = `login ${username} password ${password}`;
  return [...machines.map((machine) => `machine ${machine} ${login}`), `default ${login}`, ''].join(
    '\n',
  );
}

/** Undefined: Docker Hub. */
export function registryInName(image: string): string | undefined {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  return /[.:]/.test(first) || first === 'localhost' ? first : undefined;
}

/** enroot writes the registry as `registry#repository:tag`, and the user before it. */
export function pyxisImage(image: string, user: string | null): string {
  const registry = registryInName(image);
  const named = registry === undefined ? image : `${registry}#${image.slice(registry.length + 1)}`;
  return user === null ? named : `${user}@${named}`;
}
