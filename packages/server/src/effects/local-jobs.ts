import type { LocalFreedoms } from '@dstack/backends';
import type { JobSpecForAgent } from '@dstack/contract/agent';
import { type InstanceRecord, isServerHost, LOCAL_PROCESS_INSTANCE } from '@dstack/core';
import { JobSpecError } from './named-secrets.ts';

/** Permissions of jobs on the server's machine. */
export interface LocalJobRules extends LocalFreedoms {
  /** Projects that may run jobs there, in lower case. */
  readonly projects: ReadonlySet<string>;
}

type Instance = Pick<InstanceRecord, 'backend' | 'offer'>;

/**
 * Restricts a job on the server's machine to the present settings; jobs on other machines are
 * returned unchanged. Checked at the start, because the settings may have changed since the job was
 * placed. `namesImage`: the user has chosen the image. Throws `JobSpecError`.
 */
export function localJob(
  rules: LocalJobRules,
  instance: Instance,
  spec: JobSpecForAgent,
  namesImage = true,
): JobSpecForAgent {
  if (!isServerHost(instance.backend)) return spec;
  const { project_name: project } = spec;
  if (!rules.projects.has(project.toLowerCase())) {
    throw refused(`Project ${project} may not run jobs`, 'DSTACK_LOCAL_PROJECTS');
  }
  if (!rules.trusted) refusePower(spec);
  const access = { repos: rules.loopback, images: rules.loopback || !namesImage };
  return {
    ...withoutUser(rules, instance, withoutOptionalMounts(rules, spec)),
    host_access: access,
  };
}

function refusePower({ privileged, network_mode: network, mounts }: JobSpecForAgent): void {
  const variable = 'DSTACK_LOCAL_TRUSTED=1';
  if (privileged) throw refused('No job may be privileged', variable);
  if (network === 'host') throw refused('No job may use the host network', variable);
  const mount = mounts.find(({ optional, volume }) => !optional && !volume);
  if (mount) throw refused(`No job may mount ${mount.source}`, variable);
}

function refused(what: string, variable: string): JobSpecError {
  return new JobSpecError(
    `${what} on the server's machine; its administrator can allow it with ${variable}`,
  );
}

function withoutOptionalMounts(
  { trusted, mounts }: LocalJobRules,
  spec: JobSpecForAgent,
): JobSpecForAgent {
  if (trusted && mounts) return spec;
  const left = spec.mounts.filter(({ optional }) => optional);
  if (left.length === 0) return spec;
  const why = trusted
    ? 'the server has no right to make mounts'
    : 'DSTACK_LOCAL_TRUSTED is not set for the server';
  const notices = left.map(
    ({ source, target }) => `the optional volume ${source}:${target} is left out, since ${why}`,
  );
  return {
    ...spec,
    mounts: spec.mounts.filter(({ optional }) => !optional),
    notices: [...(spec.notices ?? []), ...notices],
  };
}

/** Without a container, the user would be a user of the machine. */
function withoutUser(
  { users }: LocalJobRules,
  { offer }: Instance,
  spec: JobSpecForAgent,
): JobSpecForAgent {
  const isProcess = offer?.instance.name === LOCAL_PROCESS_INSTANCE;
  return isProcess && !users ? { ...spec, user: null } : spec;
}
