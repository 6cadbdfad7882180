/** The use of models that a gateway reports, limited to its own projects and to the people in them. */
import type { GatewayModelUse } from '@dstack/contract/agent';
import type { Id } from '@dstack/core';
import type { ModelUse, Store } from '@dstack/store';
import type { GatewayReach } from './gateway-reach.ts';

export interface OwnUsesOptions {
  readonly store: Pick<Store, 'projects' | 'users' | 'services' | 'meta'>;
  readonly gatewayId: Id;
  readonly reach: GatewayReach;
}

export interface OwnUses {
  readonly uses: readonly ModelUse[];
  /** Something in it was about a model that has never been behind the gateway, or a stranger to its project. */
  readonly isForeign: boolean;
}

/** Users and projects that were deleted meanwhile are left out. */
export async function ownUses(
  { store, gatewayId, reach }: OwnUsesOptions,
  sent: readonly GatewayModelUse[],
): Promise<OwnUses> {
  const served = await servedModels(store, gatewayId, reach, sent);
  const own = sent.filter((use) => served(use));
  const projects = await store.projects.byNames([...new Set(own.map(({ project }) => project))]);
  const users = await store.users.byNames([...new Set(own.map(({ user }) => user))]);
  const ofProject = new Map(projects.map((one) => [one.name.toLowerCase(), one]));
  const ofUser = new Map(users.map((one) => [one.name.toLowerCase(), one]));
  const members = new Map(
    await Promise.all(
      projects.map(async ({ id }) => {
        const all = await store.projects.members(id);
        return [id, new Set(all.map(({ user }) => user.id))] as const;
      }),
    ),
  );
  const tokens = await tokenOwners(store, projects, own);
  const uses = own.flatMap((use): ModelUse[] => {
    const project = ofProject.get(use.project.toLowerCase());
    const user = ofUser.get(use.user.toLowerCase());
    if (project === undefined || user === undefined) return [];
    if (user.globalRole !== 'admin' && !members.get(project.id)?.has(user.id)) return [];
    const { model, day, requests, aborted, estimated, token = null } = use;
    const owner = token === null ? undefined : tokens.get(token);
    if (owner !== undefined && owner !== ownerOf(project, user)) return [];
    const counted = { promptTokens: use.prompt_tokens, completionTokens: use.completion_tokens };
    const counts = { requests, aborted, estimated, ...counted };
    return [
      {
        projectId: project.id,
        userId: user.id,
        tokenId: owner === undefined ? null : token,
        model,
        day,
        ...counts,
      },
    ];
  });
  return { uses, isForeign: uses.length < sent.length };
}

const ownerOf = (project: { readonly id: Id }, user: { readonly id: Id }) =>
  `${project.id} ${user.id}`;

/** Returns the owner of each token; tokens that were deleted meanwhile have no owner, and no budget. */
async function tokenOwners(
  { meta }: OwnUsesOptions['store'],
  projects: readonly { readonly id: Id }[],
  uses: readonly GatewayModelUse[],
): Promise<ReadonlyMap<string, string>> {
  if (uses.every(({ token = null }) => token === null)) return new Map();
  const lists = await Promise.all(projects.map(({ id }) => meta.serviceTokens.list(id)));
  return new Map(
    lists.flat().map(({ id, projectId, createdBy }) => [id, `${projectId} ${createdBy}`]),
  );
}

/** A service may have ended long before the delivery; the database still has it. */
async function servedModels(
  { services }: OwnUsesOptions['store'],
  gatewayId: Id,
  reach: GatewayReach,
  uses: readonly GatewayModelUse[],
): Promise<(use: GatewayModelUse) => boolean> {
  const isServed = ({ project, model }: GatewayModelUse) => reach.hasModel(project, model);
  if (uses.every(isServed)) return isServed;
  const earlier = await services.modelsBehindGateway(gatewayId);
  const known = new Set(earlier.map(({ projectName, model }) => keyOf(projectName, model)));
  return (use) => isServed(use) || known.has(keyOf(use.project, use.model));
}

const keyOf = (project: string, model: string) => JSON.stringify([project.toLowerCase(), model]);
