import type { Quota, QuotaUse } from '@dstack/contract/wire';
import { ALL_USERS, EVERY_USER, inUnits, termsAmounts } from '@dstack/core';
import type { QuotaView } from '@dstack/store';

export function wireQuota(view: QuotaView): Quota {
  const { quota, fleet, projectName } = view;
  return {
    id: quota.id,
    project_name: projectName,
    fleet_name: fleet && fleetName(fleet, projectName),
    user_name: quota.userId === EVERY_USER ? EVERY_USER : view.userName,
    ...{ guaranteed: quota.guaranteed, limit: quota.limits, weight: quota.weight },
    use: useOf(view),
  };
}

function fleetName(fleet: NonNullable<QuotaView['fleet']>, projectName: string): string {
  return fleet.projectName === projectName ? fleet.name : `${fleet.projectName}/${fleet.name}`;
}

/** Each resource that the quota names; where it holds for each user, of each user who uses some. */
function useOf({ quota, used, userNames, waiting }: QuotaView): QuotaUse[] {
  const limit = termsAmounts(quota.limits);
  const guaranteed = termsAmounts(quota.guaranteed);
  const users = quota.userId === EVERY_USER ? Object.keys({ ...used, ...waiting }) : [ALL_USERS];
  const resources = [...new Set([...Object.keys(guaranteed), ...Object.keys(limit)])];
  return users.flatMap((user) => {
    const user_name = user === ALL_USERS ? null : (userNames[user] ?? null);
    const uses = resources.map((resource) => ({
      ...{ resource, user_name },
      used: inUnits(resource, used[user]?.[resource] ?? 0),
      guaranteed: shown(resource, guaranteed),
      limit: shown(resource, limit),
    }));
    const most = quota.limits?.runs ?? null;
    if (most === null) return uses;
    const runs = { ...{ resource: 'runs', user_name }, used: waiting[user] ?? 0 };
    return [...uses, { ...runs, guaranteed: null, limit: most }];
  });
}

function shown(resource: string, amounts: Readonly<Record<string, number>>): number | null {
  const amount = amounts[resource];
  return amount === undefined ? null : inUnits(resource, amount);
}
