/** Backends of a project: stored with their secrets apart, shown with masks in their place. */
import {
  ApiError,
  alreadyExists,
  notExists,
  ruleError,
  validationDetails,
} from '@dstack/contract/api';
import { BackendConfigWithCreds, BackendType } from '@dstack/contract/wire';
import { UnprocessableError } from '@dstack/proxy';
import type { BackendWithCredentials, ProjectRecord, UserRecord } from '@dstack/store';
import { checkBackendConfig, invalid, names } from '../../backend-config/check.ts';
import { backendCreated, backendDeleted, backendUpdated } from '../../backend-config/events.ts';
import { operatorsConfig } from '../../backend-config/origin.ts';
import {
  joinSecrets,
  maskSecrets,
  splitSecrets,
  unmaskSecrets,
} from '../../backend-config/secrets.ts';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { refuseWrongCredentials } from './credentials.ts';

export async function createBackend(
  deps: HttpDeps,
  project: ProjectRecord,
  given: BackendConfigWithCreds,
  caller: UserRecord,
): Promise<BackendConfigWithCreds> {
  const type = availableType(deps, given);
  if ((await deps.store.backends.byType(project.id, type)) !== null) throw exists(type);
  const full = checked(deps, given, null, caller);
  await refuseWrongCredentials(deps, { config: full, isOperators: isOperator(caller) });
  const context = deps.context();
  const times = { createdAt: context.now, updatedAt: context.now };
  const outcome = await deps.store.backends.insert(
    { id: context.newId(), projectId: project.id, type, ...times, ...parts(full, caller) },
    {
      events: [backendCreated({ project, type, actor: actorOf(caller) })],
      // Waiting runs may find capacity now.
      signals: [{ kind: 'placement', id: project.id }],
    },
  );
  if (outcome === 'name-taken') throw exists(type);
  return shown(full);
}

export async function updateBackend(
  deps: HttpDeps,
  project: ProjectRecord,
  given: BackendConfigWithCreds,
  { user: caller, isOurs }: { readonly user: UserRecord; readonly isOurs: boolean },
): Promise<BackendConfigWithCreds> {
  const type = availableType(deps, given);
  const stored = await storedConfig(deps, project, type);
  const full = checked(deps, isOurs ? given : withKeptPrice(given, stored), stored, caller);
  const made = await deps.store.instances.madeBy(project.id, type);
  await refuseWrongCredentials(deps, {
    ...{ config: full, isOperators: isOperator(caller) },
    machines: made.map(({ handle }) => handle),
  });
  const event = backendUpdated(
    { project, type, actor: actorOf(caller) },
    ...([splitSecrets(stored), splitSecrets(full)] as const),
  );
  const outcome = await deps.store.backends.update(project.id, type, parts(full, caller), {
    events: event === null ? [] : [event],
    signals: [{ kind: 'placement', id: project.id }],
  });
  if (outcome === 'missing') throw missing(type);
  return shown(full);
}

/** Clients of dstack 0.22.5 do not send it. */
function withKeptPrice(
  given: BackendConfigWithCreds,
  stored: BackendConfigWithCreds,
): BackendConfigWithCreds {
  if (!('price' in stored) || stored.price == null || 'price' in given) return given;
  return { ...given, price: stored.price } as BackendConfigWithCreds;
}

/**
 * Unknown ones are ignored. A backend in use cannot be deleted, as its resources could not be
 * terminated without it.
 */
export async function deleteBackends(
  deps: HttpDeps,
  project: ProjectRecord,
  types: readonly BackendType[],
  caller: UserRecord,
): Promise<void> {
  const actor = actorOf(caller);
  const use = await deps.store.backends.deleteUnused(project.id, types, (type) =>
    backendDeleted({ project, type, actor }),
  );
  if (use === null) return;
  if (use.instances + use.volumes === 0) {
    throw ruleError(
      `Backend ${use.type} is still needed to end machines that are being terminated or ordered (${use.ending}). Delete it when they have ended, or in 15 minutes`,
    );
  }
  const what = use.instances > 0 ? 'instances' : 'volumes';
  throw ruleError(
    `Backend ${use.type} has active ${what}. Delete the ${what} before deleting the backend`,
  );
}

export async function backendConfig(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
): Promise<BackendConfigWithCreds> {
  return shown(await storedConfig(deps, project, pathType(name)));
}

/** The type in a path, validated like one in a body. */
export function pathType(name: string): BackendType {
  const result = BackendType.safeParse(name);
  if (result.success) return result.data;
  const details = validationDetails(result.error, name);
  throw new UnprocessableError(
    details.map((detail) => ({ ...detail, loc: ['path', 'backend_name'] })),
  );
}

async function storedConfig(
  deps: HttpDeps,
  project: ProjectRecord,
  type: BackendType,
): Promise<BackendConfigWithCreds> {
  const record = await deps.store.backends.byType(project.id, type);
  if (record === null) throw missing(type);
  return asModel(record);
}

/** In the order of the model's keys. */
function asModel(record: BackendWithCredentials): BackendConfigWithCreds {
  const config = record.sourceConfig ?? record.config;
  const auth = record.sourceAuth ?? record.auth;
  return BackendConfigWithCreds.parse(joinSecrets({ config, auth }));
}

function availableType(deps: HttpDeps, { type }: BackendConfigWithCreds): BackendType {
  if (deps.settings.backendTypes.includes(type)) return type;
  throw new ApiError('backend_not_available', `Backend ${type} is not available on this server`);
}

/** The configuration to store: masks replaced, form checked. */
function checked(
  deps: HttpDeps,
  given: BackendConfigWithCreds,
  stored: BackendConfigWithCreds | null,
  caller: UserRecord,
): BackendConfigWithCreds {
  const { full, missing: masks } = unmaskSecrets(given, stored);
  if (masks.length > 0) {
    throw invalid(masks, `${names(masks)} is masked, and no value is stored for it`);
  }
  const config = full as BackendConfigWithCreds;
  const { defaultCredentials } = deps.settings;
  const serverFiles = isOperator(caller);
  checkBackendConfig(config, { defaultCredentials, serverFiles });
  return config;
}

/** Stored as given, with a mark if the caller may name the server's own computer. */
function parts(full: BackendConfigWithCreds, caller: UserRecord) {
  const { config: sourceConfig, auth } = splitSecrets(full);
  const config = isOperator(caller) ? operatorsConfig(sourceConfig) : sourceConfig;
  return { config, sourceConfig, auth, sourceAuth: auth };
}

function shown(full: BackendConfigWithCreds): BackendConfigWithCreds {
  return BackendConfigWithCreds.parse(maskSecrets(full));
}

function exists(type: string): ApiError {
  return alreadyExists(`Backend ${type} exists already. Update it instead`);
}

function missing(type: string): ApiError {
  return notExists(`Backend ${type} is not configured`);
}

const isOperator = ({ globalRole }: UserRecord): boolean => globalRole === 'admin';
