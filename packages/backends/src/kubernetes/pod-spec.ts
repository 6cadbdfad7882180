/** The pod of a job. */
import type { KubernetesToleration, RegistryAuth } from '@dstack/contract';
import type { Offer } from '@dstack/core';
import { RefusedOrderError, SkipOfferError } from '../base/errors.ts';
import type { ContainerOrder } from '../base/instance-port.ts';
import type { Toleration } from './api/objects.ts';
import { GANG_LABEL, gangHostname, gangName } from './gang-names.ts';
import { ADDRESS_NEEDED, annotationsOf, instanceAnnotation, labelsOf } from './labels.ts';
import { affinityOf } from './node-choice.ts';
import { GPU_RESOURCE, GPU_UNITS, offerText, TOLERATED_TAINTS } from './offers.ts';
import {
  AGENT_ROOT,
  type AgentSource,
  agentCommand,
  agentEnv,
  CLAIM_ROOT,
  IMAGE_ROOT,
  isClaimOfAgent,
  leadsToAgent,
  TOKEN_DIR,
} from './pod-agent.ts';
import { describedBy, type PodOrder, pullSecretName, secretName } from './pod-order.ts';

export const JOB_CONTAINER = 'job';
export const AGENT_CONTAINER = 'agent';

export function podOf(pod: PodOrder): object {
  const { container, offer, namespace, agent } = pod;
  const described = describedBy(pod);
  const { name } = described;
  const settings = container.settings?.kubernetes ?? null;
  const { gang } = container;
  const volumes = volumesOf(pod);
  const agentMount = { name: 'dstack', mountPath: AGENT_ROOT };
  const programs = programsIn(agent);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace },
      labels: {
        ...settings?.labels,
        ...labelsOf(described),
        ...(gang === null ? {} : { [GANG_LABEL]: gangName(pod, gang) }),
        ...(settings?.queue ? { 'kueue.x-k8s.io/queue-name': settings.queue } : {}),
      },
      annotations: {
        ...settings?.annotations,
        ...annotationsOf(described),
        ...instanceAnnotation(offer.instance),
        ...(container.needsAddress ? ADDRESS_NEEDED : {}),
      },
    },
    spec: {
      restartPolicy: 'Never',
      // A pod whose first process is the cluster's own, which reaps what a job leaves.
      shareProcessNamespace: true,
      enableServiceLinks: false,
      ...gangHostname(pod),
      automountServiceAccountToken: settings?.service_account != null,
      ...(settings?.service_account ? { serviceAccountName: settings.service_account } : {}),
      ...(settings?.priority_class ? { priorityClassName: settings.priority_class } : {}),
      ...(settings?.runtime_class ? { runtimeClassName: settings.runtime_class } : {}),
      ...(settings?.scheduler ? { schedulerName: settings.scheduler } : {}),
      ...(settings?.node_selector ? { nodeSelector: settings.node_selector } : {}),
      affinity: affinityOf(pod),
      tolerations: tolerationsOf(offer, container),
      ...(pullSecretsOf(pod, name) ?? {}),
      ...(agent.kind === 'image'
        ? { initContainers: [agentContainer(agent.image, agentMount)] }
        : {}),
      containers: [
        {
          name: JOB_CONTAINER,
          image: container.image,
          ...(settings?.image_pull_policy ? { imagePullPolicy: settings.image_pull_policy } : {}),
          command: agentCommand(agent, pod.order.owner.server),
          env: [...agentEnv(agent), ...gpuEnv(offer)],
          resources: resourcesOf(container, offer),
          securityContext: securityOf(container),
          volumeMounts: [
            agentMount,
            { name: 'token', mountPath: TOKEN_DIR, readOnly: true },
            ...(programs ? [programs.mount] : []),
            ...volumes.map(({ mount }) => mount),
          ],
        },
      ],
      volumes: [
        { name: 'dstack', emptyDir: {} },
        { name: 'token', secret: { secretName: secretName(name) } },
        ...(programs ? [programs.volume] : []),
        ...volumes.map(({ volume }) => volume),
      ],
    },
  };
}

export function programsIn(agent: AgentSource): Mounted | null {
  if (agent.kind === 'volume') {
    const image = { reference: agent.image, pullPolicy: 'IfNotPresent' };
    return {
      volume: { name: 'programs', image },
      mount: { name: 'programs', mountPath: IMAGE_ROOT, readOnly: true },
    };
  }
  if (agent.kind !== 'claim') return null;
  const persistentVolumeClaim = { claimName: agent.claim, readOnly: true };
  return {
    volume: { name: 'programs', persistentVolumeClaim },
    mount: { name: 'programs', mountPath: CLAIM_ROOT, readOnly: true },
  };
}

/** Its program copies the agent into the volume that both containers have. */
export function agentContainer(image: string, mount: object): object {
  return {
    ...{ name: AGENT_CONTAINER, image, imagePullPolicy: 'IfNotPresent', volumeMounts: [mount] },
    securityContext: {
      ...{ runAsUser: NOBODY, runAsNonRoot: true, allowPrivilegeEscalation: false },
      ...{ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    },
  };
}

const NOBODY = 65_534;
const MIB = 1024;
/** Memory of the agent and the supervisor of the job, which the limit of the job must not include. */
const AGENT_MIB = 160;

/**
 * A number runs as it is; for a name the agent starts as root, and looks the name up in the image.
 * Without a request, the user of the image applies.
 */
function securityOf({ user, privileged }: ContainerOrder): object {
  const uid = user === null ? null : (user.uid ?? 0);
  const gid = user?.uid == null ? null : (user.gid ?? null);
  return {
    ...(privileged ? { privileged } : {}),
    ...(uid === null ? {} : { runAsUser: uid }),
    ...(gid === null ? {} : { runAsGroup: gid }),
  };
}

function resourcesOf({ resources: wanted }: ContainerOrder, { instance, backend_data }: Offer) {
  const gpus = instance.resources.gpus.length;
  const resource = offerText(backend_data, GPU_RESOURCE);
  const mib = (gb: number) => `${Math.round(gb * MIB)}Mi`;
  const units = (backend_data as { readonly [GPU_UNITS]?: number } | null)?.[GPU_UNITS] ?? 1;
  const gpu = gpus > 0 && resource !== null ? { [resource]: String(gpus * units) } : {};
  const { cpu, memory, disk } = wanted;
  const limit = (name: string, text: string | null) => (text === null ? {} : { [name]: text });
  const max = (value: number | null | undefined, format: (given: number) => string) =>
    value === null || value === undefined ? null : format(value);
  return {
    requests: {
      cpu: String(cpu.count.min ?? 0),
      memory: mib(memory?.min ?? 0),
      ...limit('ephemeral-storage', max(disk?.size.min, mib)),
      ...gpu,
    },
    limits: {
      ...limit('cpu', max(cpu.count.max, String)),
      ...limit(
        'memory',
        max(memory?.max, (gb) => `${Math.round(gb * MIB) + AGENT_MIB}Mi`),
      ),
      ...limit('ephemeral-storage', max(disk?.size.max, mib)),
      ...gpu,
    },
  };
}

/** A CUDA image asks for all devices of its node unless this variable is set. */
function gpuEnv({ instance }: Offer) {
  const hasGpus = instance.resources.gpus.length > 0;
  return hasGpus ? [] : [{ name: 'NVIDIA_VISIBLE_DEVICES', value: 'void' }];
}

function tolerationsOf({ instance }: Offer, { settings: all }: ContainerOrder): Toleration[] {
  const settings = all?.kubernetes;
  const ofGpus: Toleration[] = TOLERATED_TAINTS.map((key) => ({ key, operator: 'Exists' }));
  const own = requestedTolerations(settings?.tolerations ?? []);
  return [...(instance.resources.gpus.length > 0 ? ofGpus : []), ...own];
}

export function requestedTolerations(requested: readonly KubernetesToleration[]): Toleration[] {
  return requested.map(({ key, operator, value, effect }) => ({
    ...(key == null ? {} : { key }),
    operator: operator ?? (value == null ? ('Exists' as const) : ('Equal' as const)),
    ...(value == null ? {} : { value }),
    ...(effect == null ? {} : { effect }),
  }));
}

interface Mounted {
  readonly volume: object;
  readonly mount: object;
}

function volumesOf({ container, order, agent }: PodOrder): Mounted[] {
  const { shm_size: shm } = container.resources;
  const memory: Mounted[] =
    shm == null
      ? []
      : [
          {
            volume: {
              name: 'shm',
              emptyDir: { medium: 'Memory', sizeLimit: `${Math.round(shm * MIB)}Mi` },
            },
            mount: { name: 'shm', mountPath: '/dev/shm' },
          },
        ];
  const remaining = [...order.volumes];
  const mounts = container.mounts.map(({ path, instancePath, readOnly }, at): Mounted => {
    const name = `volume-${at}`;
    if (instancePath !== null) {
      if (leadsToAgent(agent, instancePath)) {
        throw new RefusedOrderError(
          `instance path ${instancePath} leads to the agent that all pods of its node run: mount another folder`,
        );
      }
      const hostPath = { path: instancePath, type: 'DirectoryOrCreate' };
      return { volume: { name, hostPath }, mount: { name, mountPath: path } };
    }
    const claim = remaining.shift();
    if (!claim) throw new SkipOfferError(`the volume at ${path} does not exist yet`);
    // An earlier version let a volume be registered from it.
    if (isClaimOfAgent(agent, claim.id)) {
      throw new RefusedOrderError(
        `the claim of the volume at ${path} holds the program of the agent`,
      );
    }
    const mount = {
      ...{ name, mountPath: path, readOnly },
      ...(readOnly ? { recursiveReadOnly: 'IfPossible' } : {}),
    };
    return { volume: { name, persistentVolumeClaim: { claimName: claim.id } }, mount };
  });
  return [...memory, ...mounts];
}

function pullSecretsOf({ container }: PodOrder, pod: string) {
  const own = container.registryAuth === null ? [] : [pullSecretName(pod)];
  const names = [...own, ...(container.settings?.kubernetes?.image_pull_secrets ?? [])];
  return names.length > 0 ? { imagePullSecrets: names.map((name) => ({ name })) } : null;
}

/** `host`: null = Docker Hub, which has its own key in these files. */
export function dockerConfig(host: string | null, { username, password }: RegistryAuth): string {
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const key = host ?? 'https://index.docker.io/v1/';
  return JSON.stringify({ auths: { [key]: { username, password, auth } } });
}
