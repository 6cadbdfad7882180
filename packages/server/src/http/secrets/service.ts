/** Secrets of a project. */
import { accessDenied, notExists, ruleError } from '@dstack/contract/api';
import {
  maskedText,
  type ProjectRole,
  type Secret,
  type SetSecret,
  SHORTEST_MASKED,
} from '@dstack/contract/wire';
import { type NewEvent, recordEvent, secretTarget } from '@dstack/core';
import type { ProjectRecord, SecretRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { checkName } from '../names.ts';
import type { HttpDeps } from '../ports.ts';

/** Longest value, in characters (dstack 0.22.5). */
const MAX_VALUE = 5000;

/**
 * Managers pass the endpoint's guard; a setting of the server decides whether they may continue.
 */
export function checkManagesSecrets(deps: HttpDeps, role: ProjectRole | null): void {
  if (role === 'admin' || deps.settings.permissions.allow_managers_manage_secrets) return;
  throw accessDenied(
    'Access denied: managers may not manage secrets on this server; an admin of the project can',
  );
}

export async function listSecrets(deps: HttpDeps, project: ProjectRecord): Promise<Secret[]> {
  const secrets = await deps.store.secrets.list(project.id);
  return secrets.map(({ id, name }) => ({ id, name, value: null }));
}

export async function getSecret(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<Secret> {
  const found = await deps.store.secrets.byName(project.id, name);
  if (found === null) throw notExists(`Secret '${name}' not found`);
  return { id: found.secret.id, name: found.secret.name, value: found.value };
}

export async function putSecret(
  deps: HttpDeps,
  project: ProjectRecord,
  wanted: { readonly name: string; readonly value: string },
  actor: UserRecord,
): Promise<SetSecret> {
  checkName('secret', wanted.name);
  if (wanted.value.length > MAX_VALUE) {
    throw ruleError(
      `The value has ${wanted.value.length} characters; at most ${MAX_VALUE} are allowed`,
    );
  }
  const { secret } = await deps.store.secrets.put(
    { id: deps.context().newId(), projectId: project.id, ...wanted },
    (outcome, secret) => ({ events: [secretEvent(outcome, secret, actor)] }),
  );
  const { id, name } = secret;
  return { id, name, value: wanted.value, notes: notesOn(name, wanted.value) };
}

function notesOn(name: string, value: string): string[] {
  if (maskedText(value) !== null) return [];
  return [
    `${name} is shorter than ${SHORTEST_MASKED} characters, so it is not masked in the output of ` +
      'jobs that use it. Use a longer value.',
  ];
}

/** All or none. */
export async function deleteSecrets(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const outcome = await deps.store.secrets.delete(project.id, names, (deleted) => ({
    events: deleted.map((secret) => secretEvent('deleted', secret, actor)),
  }));
  if (outcome.type === 'unknown') throw notExists(`Secrets not found: ${outcome.names.join(', ')}`);
}

function secretEvent(
  outcome: 'created' | 'updated' | 'deleted',
  secret: SecretRecord,
  actor: UserRecord,
): NewEvent {
  const targets = [secretTarget(secret)];
  return recordEvent({ action: `secret.${outcome}`, targets, actor: actorOf(actor) });
}
