/** The objects of a gateway: each replica is a StatefulSet of one pod, and all have one Service. */
import type { KubernetesGatewaySettings } from '@dstack/contract';
import type { GatewayOrder } from '../../base/gateway-port.ts';
import type { KubeObject, OwnerReference } from '../api/objects.ts';
import { annotationsOf, type Described, GATEWAY_LABEL, labelsOf, objectName } from '../labels.ts';
import { apartFrom } from '../node-choice.ts';
import {
  AGENT_ROOT,
  AGENT_STATE,
  type AgentSource,
  agentCommand,
  agentEnv,
  TOKEN_DIR,
  TOKEN_KEY,
} from '../pod-agent.ts';
import { agentContainer, JOB_CONTAINER, programsIn, requestedTolerations } from '../pod-spec.ts';

/** Where nginx listens: at the ports that clients use, because answers of the gateway name them. */
const USUAL_PORTS = { http: 80, https: 443 };

/** Annotation with what is needed to end a gateway without a record. */
export const PLACE = 'k8s.dstack.ai/gateway-place';

/** Annotation with what a pod was made from, and by which server. */
export const BUILD = 'k8s.dstack.ai/gateway-build';

/** Its entry point is not used. */
const IMAGE = 'nginx:1.28';
/** The pods of a StatefulSet have a label with its name and eleven characters more. */
const MAX_NAME = 52;
/** Size of the claim for certificates and for what services need while the server is away. */
const STORAGE = '1Gi';
/** Size of the claim if it also keeps copies of the agent. */
const STORAGE_WITH_PROGRAMS = '2Gi';
/** Capabilities that nginx and the program need as root. None of them gives access to the node. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'] as const;
/** Requests under way end, after the cluster has stopped sending new ones. */
const GRACE_S = 45;

export interface GatewayObjects {
  readonly order: GatewayOrder;
  readonly namespace: string;
  readonly agent: AgentSource;
  /** Data of the replica's handle, as JSON; the StatefulSet keeps it as an annotation. */
  readonly place: string;
  readonly token: string;
  /** Null: unknown. */
  readonly build: object | null;
}

export type ServiceKind = NonNullable<KubernetesGatewaySettings['service']>;

export const settingsOf = ({ settings }: GatewayOrder): KubernetesGatewaySettings | null =>
  settings?.kubernetes ?? null;

export const serviceKind = (order: GatewayOrder): ServiceKind =>
  settingsOf(order)?.service ?? 'LoadBalancer';

export function portsOf(order: GatewayOrder): { readonly http: number; readonly https: number } {
  const { node_ports, address } = settingsOf(order) ?? {};
  if (serviceKind(order) !== 'NodePort' || address != null || node_ports == null)
    return USUAL_PORTS;
  return { http: node_ports.http, https: node_ports.https ?? USUAL_PORTS.https };
}

/** Name of the StatefulSet of a replica. Its secret and claim have the same name with an ending. */
export const replicaName = ({ owner, key }: GatewayOrder): string =>
  objectName([owner.project, owner.instance], key, MAX_NAME);

/** Name of the Service and of the Ingress that all replicas of a gateway share. */
export const gatewayName = ({ owner, gateway }: GatewayOrder): string =>
  objectName([owner.project, gateway.name], `gateway:${gateway.id}`, MAX_NAME);

export const podOfReplica = (name: string): string => `${name}-0`;

export function statefulSet(objects: GatewayObjects): object {
  const { order, namespace, agent, place, build } = objects;
  const name = replicaName(order);
  const labels = { ...settingsOf(order)?.labels, ...labelsFor(order, name) };
  return {
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet' },
    metadata: {
      ...{ name, namespace },
      labels: labelsFor(order, name),
      annotations: {
        ...annotationsOf(describedBy(order, name)),
        ...{ [PLACE]: place, [BUILD]: JSON.stringify(build) },
      },
    },
    spec: {
      ...{ replicas: 1, serviceName: gatewayName(order) },
      selector: { matchLabels: { 'app.kubernetes.io/instance': name } },
      template: { metadata: { labels }, spec: podTemplate(order, name, agent) },
    },
  };
}

export function podTemplate(order: GatewayOrder, name: string, agent: AgentSource): object {
  const settings = settingsOf(order);
  const copies = agent.kind === 'copy';
  const programs = programsIn(agent);
  const root = { name: copies ? 'state' : 'dstack', mountPath: AGENT_ROOT };
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_S,
    // Its first process is the cluster's own, which reaps what nginx leaves.
    shareProcessNamespace: true,
    ...(settings?.priority_class ? { priorityClassName: settings.priority_class } : {}),
    ...(settings?.node_selector ? { nodeSelector: settings.node_selector } : {}),
    tolerations: requestedTolerations(settings?.tolerations ?? []),
    imagePullSecrets: (settings?.image_pull_secrets ?? []).map((secret) => ({ name: secret })),
    affinity: { podAntiAffinity: apartFrom({ [GATEWAY_LABEL]: order.gateway.id }) },
    ...(agent.kind === 'image' ? { initContainers: [agentContainer(agent.image, root)] } : {}),
    containers: [
      {
        name: JOB_CONTAINER,
        image: settings?.image ?? IMAGE,
        ...(settings?.image_pull_policy ? { imagePullPolicy: settings.image_pull_policy } : {}),
        command: agentCommand(agent, order.owner.server),
        env: agentEnv(agent),
        ports: Object.entries(portsOf(order)).map(([port, containerPort]) => ({
          ...{ name: port, containerPort },
        })),
        readinessProbe: {
          ...{ tcpSocket: { port: 'http' }, periodSeconds: 2, failureThreshold: 2 },
        },
        resources: { requests: { cpu: '100m', memory: '256Mi' } },
        securityContext: {
          ...{ runAsUser: 0, allowPrivilegeEscalation: false },
          capabilities: { drop: ['ALL'], add: [...CAPABILITIES, 'NET_BIND_SERVICE'] },
        },
        volumeMounts: [
          // A copy outlives the pod, so that another one starts without the server.
          copies ? { ...root, subPath: 'programs' } : root,
          { name: 'state', mountPath: AGENT_STATE, subPath: 'state' },
          { name: 'token', mountPath: TOKEN_DIR, readOnly: true },
          ...(programs ? [programs.mount] : []),
        ],
      },
    ],
    volumes: [
      ...(copies ? [] : [{ name: 'dstack', emptyDir: {} }]),
      { name: 'state', persistentVolumeClaim: { claimName: claimName(name) } },
      { name: 'token', secret: { secretName: secretName(name) } },
      ...(programs ? [programs.volume] : []),
    ],
  };
}

export function gatewaySecret(
  { order, token }: Pick<GatewayObjects, 'order' | 'token'>,
  owner: KubeObject,
): object {
  return {
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', stringData: { [TOKEN_KEY]: token } },
    metadata: ownedMetadata(order, secretName(replicaName(order)), owner),
  };
}

export function stateClaim({ order, agent }: GatewayObjects, owner: KubeObject): object {
  const storage = agent.kind === 'copy' ? STORAGE_WITH_PROGRAMS : STORAGE;
  const { storage_class } = settingsOf(order) ?? {};
  return {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    metadata: ownedMetadata(order, claimName(replicaName(order)), owner),
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storage_class ? { storageClassName: storage_class } : {}),
      resources: { requests: { storage } },
    },
  };
}

/** Owned by no replica, because any of them may be the last. */
export function serviceOfGateway(order: GatewayOrder): object {
  const settings = settingsOf(order);
  const kind = serviceKind(order);
  const isPlain = kind === 'Ingress';
  const policy = settings?.traffic_policy ?? (kind === 'LoadBalancer' ? 'Local' : 'Cluster');
  return {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: sharedMetadata(order, isPlain ? {} : (settings?.annotations ?? {})),
    spec: {
      type: isPlain ? 'ClusterIP' : kind,
      ...(isPlain ? {} : { externalTrafficPolicy: policy }),
      selector: { [GATEWAY_LABEL]: order.gateway.id },
      ports: (['http', 'https'] as const).flatMap((name) => servicePort(order, name)),
    },
  };
}

function servicePort(order: GatewayOrder, name: 'http' | 'https') {
  const nodePort = settingsOf(order)?.node_ports?.[name] ?? null;
  const hasNodePorts = serviceKind(order) === 'NodePort';
  if (hasNodePorts && nodePort === null) return [];
  const known = hasNodePorts ? { nodePort } : {};
  const port = USUAL_PORTS[name];
  return [{ ...{ name, port, targetPort: name, protocol: 'TCP' }, ...known }];
}

export function gatewayIngress(order: GatewayOrder): object {
  const settings = settingsOf(order);
  const service = { name: gatewayName(order), port: { name: 'http' } };
  const paths = [{ path: '/', pathType: 'Prefix', backend: { service } }];
  const host = `*.${(order.domain ?? '').replace(/^\*\./, '')}`;
  return {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
    metadata: sharedMetadata(order, settings?.annotations ?? {}),
    spec: {
      ...(settings?.ingress_class ? { ingressClassName: settings.ingress_class } : {}),
      rules: [{ host, http: { paths } }],
    },
  };
}

function sharedMetadata(order: GatewayOrder, annotations: Readonly<Record<string, string>>) {
  const name = gatewayName(order);
  const own = annotationsOf({ ...describedBy(order, name), key: `gateway:${order.gateway.id}` });
  return { name, labels: labelsFor(order, name), annotations: { ...annotations, ...own } };
}

function ownedMetadata(order: GatewayOrder, name: string, owner: KubeObject): object {
  return {
    ...{ name, labels: labelsFor(order, name), ownerReferences: [ownerReference(owner)] },
    annotations: annotationsOf(describedBy(order, name)),
  };
}

function ownerReference({ metadata: { name, uid = '' } }: KubeObject): OwnerReference {
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid };
}

function labelsFor(order: GatewayOrder, name: string): Record<string, string> {
  return { ...labelsOf(describedBy(order, name)), [GATEWAY_LABEL]: order.gateway.id };
}

function describedBy({ key, owner, gateway, tags }: GatewayOrder, name: string): Described {
  return { ...{ name, key, owner, tags, user: null }, component: 'gateway', title: gateway.name };
}

export const secretName = (replica: string): string => `${replica}-agent`;
const claimName = (replica: string): string => `${replica}-state`;
