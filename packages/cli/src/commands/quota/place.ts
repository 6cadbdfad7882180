import type { QuotaName } from '@dstack/client';
import type { QuotaConfiguration } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';

/** The place to which a quota of a file applies; without `project`, it is in the project of the command. */
export async function quotaPlace(
  { project, fleet, user }: Pick<QuotaConfiguration, 'project' | 'fleet' | 'user'>,
  cli: Cli,
): Promise<QuotaName> {
  const project_name = project ?? (await cli.connect()).project.name;
  return { project_name, fleet_name: fleet, user_name: user };
}

/** `project lab`, `user ann of project lab on fleet hosts`. */
export function quotaText({ project_name, fleet_name, user_name }: QuotaName): string {
  const user =
    user_name === null ? '' : user_name === '*' ? 'each user of ' : `user ${user_name} of `;
  return `${user}project ${project_name}${fleet_name === null ? '' : ` on fleet ${fleet_name}`}`;
}

export function isSamePlace(a: QuotaName, b: QuotaName): boolean {
  return (
    a.project_name.toLowerCase() === b.project_name.toLowerCase() &&
    a.fleet_name === b.fleet_name &&
    a.user_name === b.user_name
  );
}
