import type { Connection } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import type { ApplicableRun } from './types.ts';

const REFERENCE = /\$\{\{\s*secrets\.([A-Za-z_][\w]*)\s*\}\}/g;

/** The names of all secrets that a run's configuration uses. */
export function secretNames(configuration: ApplicableRun): string[] {
  const { env, registry_auth: auth } = configuration;
  const texts = [...Object.values(env ?? {}), auth?.username, auth?.password];
  const names = texts.flatMap((text) =>
    typeof text === 'string' ? [...text.matchAll(REFERENCE)].map((match) => match[1] ?? '') : [],
  );
  return [...new Set(names)];
}

/**
 * Checked before the run is submitted: the server would find a missing secret only when the job
 * starts, on an instance that already costs money.
 */
export async function requireSecrets(
  configuration: ApplicableRun,
  connection: Connection,
): Promise<void> {
  const names = secretNames(configuration);
  if (names.length === 0) return;
  const { ApiError } = await import('@dstack/client');
  const known = await connection.project.secrets.list().catch((error: unknown) => {
    // Not every user may list secrets; then the server checks them.
    if (error instanceof ApiError) return null;
    throw error;
  });
  const missing = known && names.filter((name) => !known.some((secret) => secret.name === name));
  if (!missing?.length) return;
  throw new CliError(`Secret ${missing.join(', ')} does not exist`, {
    exitCode: EXIT.notFound,
    why: `the configuration uses it, and project ${connection.project.name} has no such secret`,
    next: `dstack secret set ${missing[0]} (reads the value from the input)`,
  });
}
