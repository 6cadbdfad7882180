/** Finds the setting of the run that the user has to correct when the API refuses a pod. */
import type { KubernetesSettings } from '@dstack/contract';

const REFUSALS: readonly (readonly [RegExp, keyof KubernetesSettings])[] = [
  [/service account/i, 'service_account'],
  [/PriorityClass/, 'priority_class'],
  [/RuntimeClass/, 'runtime_class'],
  [/metadata\.labels/, 'labels'],
  [/metadata\.annotations/, 'annotations'],
  [/spec\.nodeSelector/, 'node_selector'],
  [/spec\.tolerations/, 'tolerations'],
  [/spec\.schedulerName/, 'scheduler'],
  [/spec\.imagePullSecrets/, 'image_pull_secrets'],
];

/** The setting; null = the run has none that the message is about. */
export function refusedSetting(
  message: string,
  settings: KubernetesSettings | null,
): keyof KubernetesSettings | null {
  const found = REFUSALS.find(([pattern, setting]) => settings?.[setting] && pattern.test(message));
  return found?.[1] ?? null;
}
