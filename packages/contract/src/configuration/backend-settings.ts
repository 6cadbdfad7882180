/** Options of single kinds of backends. Ours: dstack 0.22.5 has no such key. */
import * as z from 'zod';
import { parseSlurmTime } from '../grammar/slurm-time.ts';
import { int, optional, string, stringBy } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

const LabelName = string({
  max: 317,
  pattern: /^(?:[a-z0-9][a-z0-9.-]{0,252}\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/,
  meaning: 'a name of Kubernetes, such as team or example.com/team',
});
const LabelValue = string({
  max: 63,
  pattern: /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/,
  meaning: 'letters and digits with . _ - between them',
});
const Labels = z.record(LabelName, LabelValue);
const Annotations = z.record(LabelName, string());

export const KubernetesToleration = named(
  'KubernetesToleration',
  closed({
    key: optional(string()),
    operator: optional(choice(['Exists', 'Equal'])),
    value: optional(string()),
    effect: optional(choice(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])),
  }),
);
export type KubernetesToleration = z.infer<typeof KubernetesToleration>;

export const KubernetesSettings = named(
  'KubernetesSettings',
  closed({
    labels: Labels.default({}),
    annotations: Annotations.default({}),
    node_selector: optional(Labels),
    tolerations: z.array(KubernetesToleration).default([]),
    priority_class: optional(string()),
    runtime_class: optional(string()),
    scheduler: optional(string()),
    service_account: optional(string()),
    image_pull_policy: optional(choice(['Always', 'IfNotPresent', 'Never'])),
    image_pull_secrets: z.array(string()).default([]),
    queue: optional(string()),
  }),
);
export type KubernetesSettings = z.infer<typeof KubernetesSettings>;

/** Words of Slurm's own options, which `sbatch` checks. */
const Word = string({ min: 1, max: 200, pattern: /^[\w.:,@%+=&|!*()[\]-]+$/, meaning: 'one word' });

/** Further options of `sbatch` that say how a job is placed; none of them names a file or a program. */
const SBATCH_OPTIONS = [
  ...[
    'begin',
    'bb',
    'cluster-constraint',
    'contiguous',
    'core-spec',
    'cores-per-socket',
    'cpu-freq',
  ],
  ...[
    'deadline',
    'distribution',
    'exclude',
    'exclusive',
    'extra-node-info',
    'gpu-bind',
    'gpu-freq',
  ],
  ...[
    'gres',
    'gres-flags',
    'hint',
    'licenses',
    'mem-bind',
    'mincpus',
    'network',
    'nice',
    'nodelist',
  ],
  ...['ntasks-per-core', 'ntasks-per-socket', 'power', 'prefer', 'priority', 'reboot'],
  ...['sockets-per-node', 'spread-job', 'switches', 'thread-spec', 'threads-per-core', 'tmp'],
  ...['use-min-nodes', 'wckey'],
] as const;

export const SlurmSettings = named(
  'SlurmSettings',
  closed({
    partition: optional(Word),
    account: optional(Word),
    qos: optional(Word),
    time_limit: optional(stringBy(parseSlurmTime)),
    constraint: optional(Word),
    reservation: optional(Word),
    container: optional(choice(['none'])),
    /** Options of `sbatch`, by their long names; an empty text for one without a value. */
    options: z
      .partialRecord(
        choice(SBATCH_OPTIONS),
        string({ max: 200, pattern: /^[\w.:,@%+=&|!*()[\]-]*$/, meaning: 'one word' }),
      )
      .default({}),
  }),
);
export type SlurmSettings = z.infer<typeof SlurmSettings>;

export const BackendSettings = named(
  'BackendSettings',
  closed({ kubernetes: optional(KubernetesSettings), slurm: optional(SlurmSettings) }),
);
export type BackendSettings = z.infer<typeof BackendSettings>;

const NodePort = int({ ge: 1, le: 65_535 });

export const KubernetesNodePorts = named(
  'KubernetesNodePorts',
  closed({ http: NodePort, https: optional(NodePort) }),
);
export type KubernetesNodePorts = z.infer<typeof KubernetesNodePorts>;

/** Settings of a gateway: how its pods are made, and how clients reach them. */
export const KubernetesGatewaySettings = named(
  'KubernetesGatewaySettings',
  closed({
    service: optional(choice(['LoadBalancer', 'NodePort', 'Ingress'])),
    image: optional(string({ min: 1 })),
    node_ports: optional(KubernetesNodePorts),
    address: optional(string({ min: 1, max: 253 })),
    ingress_class: optional(string({ min: 1 })),
    traffic_policy: optional(choice(['Local', 'Cluster'])),
    labels: Labels.default({}),
    annotations: Annotations.default({}),
    node_selector: optional(Labels),
    tolerations: z.array(KubernetesToleration).default([]),
    priority_class: optional(string()),
    image_pull_policy: optional(choice(['Always', 'IfNotPresent', 'Never'])),
    image_pull_secrets: z.array(string()).default([]),
    storage_class: optional(string({ min: 1 })),
  }),
);
export type KubernetesGatewaySettings = z.infer<typeof KubernetesGatewaySettings>;

export const GatewayBackendSettings = named(
  'GatewayBackendSettings',
  closed({ kubernetes: optional(KubernetesGatewaySettings) }),
);
export type GatewayBackendSettings = z.infer<typeof GatewayBackendSettings>;
