import type { NodeGroup, ReplicaGroup } from '@dstack/contract';
import type {
  DevEnvironmentConfiguration,
  RunConfiguration,
  ServiceConfiguration,
  TaskConfiguration,
} from '@dstack/contract/wire';
import type { JobSpecSettings } from './settings.ts';
import { shellPath } from './shell.ts';

/** One job as the configuration describes it, with its group's settings already applied. */
export interface JobPart {
  readonly jobNum: number;
  readonly nodeGroupIndex: number;
  readonly nodeGroupName: string;
  readonly nodeGroupJobIndex: number;
  readonly commands: readonly string[];
  readonly ports: TaskConfiguration['ports'];
  readonly resources: RunConfiguration['resources'];
  readonly image: ImagePart;
  /** Null: the merged profile applies. */
  readonly spotPolicy: 'spot' | 'on-demand' | 'auto' | null;
  readonly reservation: string | null;
}

export interface ImagePart {
  /** `docker: true`, the user's own image, or the default image. */
  readonly kind: 'docker' | 'custom' | 'default';
  readonly name: string;
  readonly privileged: boolean;
  readonly python: string;
  readonly shell: string;
}

/** The jobs of one replica, in order of their numbers. */
export function jobParts(
  configuration: RunConfiguration,
  replicaGroup: string,
  settings: JobSpecSettings,
): JobPart[] {
  switch (configuration.type) {
    case 'task':
      return taskParts(configuration, settings);
    case 'service':
      return [servicePart(configuration, replicaGroup, settings)];
    default:
      return [devPart(configuration, settings)];
  }
}

function taskParts(task: TaskConfiguration, settings: JobSpecSettings): JobPart[] {
  const image = imagePart(task, null, settings);
  const groups: Pick<NodeGroup, 'name' | 'nodes' | 'resources' | 'commands' | 'ports'>[] =
    task.groups ?? [
      {
        name: '0',
        nodes: task.nodes ?? 1,
        resources: task.resources,
        commands: task.commands,
        ports: task.ports,
      },
    ];
  const parts: JobPart[] = [];
  for (const [index, group] of groups.entries()) {
    for (let rank = 0; rank < (group.nodes ?? 1); rank++) {
      parts.push({
        ...SINGLE,
        jobNum: parts.length,
        nodeGroupIndex: index,
        nodeGroupName: group.name,
        nodeGroupJobIndex: rank,
        commands: group.commands ?? [],
        ports: group.ports ?? [],
        resources: group.resources,
        image,
      });
    }
  }
  return parts;
}

function servicePart(
  service: ServiceConfiguration,
  name: string,
  settings: JobSpecSettings,
): JobPart {
  const group = service.groups?.find((one) => one.name === name) ?? null;
  return {
    ...SINGLE,
    commands: group?.commands ?? service.commands,
    ports: [],
    resources: group?.resources ?? service.resources,
    image: imagePart(service, group, settings),
    spotPolicy: group?.spot_policy ?? null,
    reservation: group?.reservation ?? null,
  };
}

function devPart(dev: DevEnvironmentConfiguration, settings: JobSpecSettings): JobPart {
  return {
    ...SINGLE,
    commands: [],
    ports: dev.ports,
    resources: dev.resources,
    image: imagePart(dev, null, settings),
  };
}

const SINGLE = {
  jobNum: 0,
  nodeGroupIndex: 0,
  nodeGroupName: '0',
  nodeGroupJobIndex: 0,
  spotPolicy: null,
  reservation: null,
} as const;

/**
 * A group's image, Docker or Python replaces the service's, as the configuration allows only one of
 * them.
 */
function imagePart(
  configuration: RunConfiguration,
  group: ReplicaGroup | null,
  settings: JobSpecSettings,
): ImagePart {
  const docker = group?.docker || (!group?.image && configuration.docker);
  const image = docker ? null : group?.image || configuration.image;
  const kind = docker ? 'docker' : image ? 'custom' : 'default';
  const nvcc = Boolean(group?.nvcc ?? configuration.nvcc);
  const fallbackShell = kind === 'custom' ? '/bin/sh' : '/bin/bash';
  return {
    kind,
    name: docker ? settings.dindImage : image || baseImage(settings, nvcc),
    privileged: docker ? true : (group?.privileged ?? configuration.privileged),
    python: group?.python ?? configuration.python ?? settings.defaultPython,
    shell: configuration.shell ? shellPath(configuration.shell) : fallbackShell,
  };
}

function baseImage(settings: JobSpecSettings, nvcc: boolean): string {
  const variant = nvcc ? 'devel' : 'base';
  return `${settings.baseImage}:${settings.baseImageVersion}-${variant}-ubuntu${settings.baseImageUbuntu}`;
}
