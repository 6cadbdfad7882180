/** Tries the credentials of a backend before they are stored. */
import { type CheckResult, type ConfigOrigin, CredentialsError } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { BackendConfigWithCreds } from '@dstack/contract/wire';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { InstanceHandle } from '@dstack/core';
import { invalid } from '../../backend-config/check.ts';
import { credentialStrings, isSecretField } from '../../backend-config/secrets.ts';
import type { HttpDeps } from '../ports.ts';

/** A person waits. What the provider has not refused by then is stored. */
const LIMIT_MS = 5000;

/** Throws `ApiError` if the provider refuses them; every other answer, or none, is no refusal. */
export async function refuseWrongCredentials(
  { backends, log }: Pick<HttpDeps, 'backends' | 'log'>,
  {
    config,
    isOperators,
    machines = [],
  }: ConfigOrigin & {
    readonly config: BackendConfigWithCreds;
    /** Those that the backend has made. */
    readonly machines?: readonly InstanceHandle[];
  },
  limitMs = LIMIT_MS,
): Promise<void> {
  const { tryOut } = backends;
  if (tryOut === undefined) return;
  const why = await withTimeout(() => refusalBy(tryOut(config, { isOperators }, machines)), {
    ms: limitMs,
    onTimeout: () => null,
  });
  if (why === null) return;
  log.info({ backend: config.type, problem: why }, 'credentials were refused and not stored');
  const secrets = credentialStrings(config).map(({ path }) => path);
  const fields = secrets.filter((path) => isSecretField(path));
  throw invalid(fields.length > 0 ? fields : [['creds']], why);
}

/** The reason in the provider's words; null = they are not refused. */
async function refusalBy(answer: Promise<readonly CheckResult[] | null>): Promise<string | null> {
  try {
    return (await answer)?.find(({ refused }) => refused)?.problem ?? null;
  } catch (error) {
    return error instanceof CredentialsError ? errorMessage(error) : null;
  }
}
