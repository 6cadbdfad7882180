/** Options of single kinds of backends. Ours: dstack 0.22.5 has no such key. */
import * as z from 'zod';
import { optional, string } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

const Texts = z.record(z.string(), string());

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
    labels: Texts.default({}),
    annotations: Texts.default({}),
    node_selector: optional(Texts),
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

export const BackendSettings = named(
  'BackendSettings',
  closed({ kubernetes: optional(KubernetesSettings) }),
);
export type BackendSettings = z.infer<typeof BackendSettings>;
