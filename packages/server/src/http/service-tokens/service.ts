/** Tokens of programs: admins of a project create, list and revoke them. */
import { randomBytes } from 'node:crypto';
import {
  alreadyExists,
  type CreateServiceTokenRequest,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import {
  type CreatedServiceToken,
  formatOptionalTimestamp,
  formatTimestamp,
  SERVICE_TOKEN_PREFIX,
  type ServiceToken,
  type TokenLimits,
} from '@dstack/contract/wire';
import { projectTarget, recordEvent, SECOND } from '@dstack/core';
import type { ProjectRecord, ServiceTokenRecord, UsedTokens, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { checkName } from '../names.ts';
import type { HttpDeps } from '../ports.ts';
import { budgetPeriods } from './budget.ts';

export async function listServiceTokens(
  deps: HttpDeps,
  project: ProjectRecord,
): Promise<ServiceToken[]> {
  const tokens = await deps.store.meta.serviceTokens.list(project.id);
  const makers = await deps.store.users.byIds([...new Set(tokens.map((one) => one.createdBy))]);
  const names = new Map(makers.map((user) => [user.id, user.originalName ?? user.name]));
  const used = await deps.store.meta.serviceTokens.usedTokens(
    tokens.map(({ id }) => id),
    budgetPeriods(deps.context().now),
  );
  return tokens.map((token) => wireToken(token, names.get(token.createdBy) ?? '', used[token.id]));
}

export async function createServiceToken(
  deps: HttpDeps,
  project: ProjectRecord,
  request: CreateServiceTokenRequest,
  actor: UserRecord,
): Promise<CreatedServiceToken> {
  checkName('secret', request.name);
  checkLimits(request);
  const { now, newId } = deps.context();
  const record: ServiceTokenRecord = {
    id: newId(),
    projectId: project.id,
    name: request.name,
    scope: request.scope,
    createdBy: actor.id,
    createdAt: now,
    expiresAt: request.expires_in === null ? null : now + request.expires_in * SECOND,
    lastUsedAt: null,
    models: request.models,
    services: request.services,
    limits: limitsOf(request),
  };
  const token = SERVICE_TOKEN_PREFIX + randomBytes(32).toString('base64url');
  const event = recordEvent({
    action: 'service_token.created',
    data: { name: record.name, scope: record.scope },
    ...{ targets: [projectTarget(project)], actor: actorOf(actor) },
  });
  const outcome = await deps.store.meta.serviceTokens.insert(record, token, {
    events: [event],
  });
  if (outcome === 'name-taken') throw alreadyExists(`Service token '${record.name}' exists`);
  return { ...wireToken(record, actor.name), token };
}

function limitsOf(request: CreateServiceTokenRequest): TokenLimits | null {
  const { requests_per_minute, tokens_per_day, tokens_per_month } = request;
  const limits = { requests_per_minute, tokens_per_day, tokens_per_month };
  return Object.values(limits).every((limit) => limit === null) ? null : limits;
}

/** With another scope a token could reach the same apps without its limits. */
function checkLimits(request: CreateServiceTokenRequest): void {
  if (request.scope === 'services' && request.services === null) {
    throw ruleError('the scope `services` needs `services`, the names of their runs');
  }
  if (request.scope !== 'services' && request.services !== null) {
    throw ruleError('`services` needs the scope `services`');
  }
  for (const name of request.services ?? []) checkName('service', name);
  if (request.scope === 'models') return;
  if (request.models === null && limitsOf(request) === null) return;
  throw ruleError('`models` and limits of requests and tokens need the scope `models`');
}

/** All or none. */
export async function deleteServiceTokens(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const tokens = await deps.store.meta.serviceTokens.list(project.id);
  const unknown = names.filter((name) => !tokens.some((token) => token.name === name));
  if (unknown.length > 0) throw notExists(`Service tokens not found: ${unknown.join(', ')}`);
  const chosen = tokens.filter((token) => names.includes(token.name));
  const events = chosen.map(({ name }) =>
    recordEvent({
      action: 'service_token.deleted',
      data: { name },
      ...{ targets: [projectTarget(project)], actor: actorOf(actor) },
    }),
  );
  await deps.store.meta.serviceTokens.delete(
    chosen.map(({ id }) => id),
    { events },
  );
}

function wireToken(
  token: ServiceTokenRecord,
  maker: string,
  used: UsedTokens = { day: 0, month: 0 },
): ServiceToken {
  return {
    id: token.id,
    name: token.name,
    scope: token.scope,
    created_by: maker,
    created_at: formatTimestamp(token.createdAt),
    expires_at: formatOptionalTimestamp(token.expiresAt),
    last_used_at: formatOptionalTimestamp(token.lastUsedAt),
    models: token.models === null ? null : [...token.models],
    services: token.services === null ? null : [...token.services],
    limits: token.limits,
    used: { ...used },
  };
}
