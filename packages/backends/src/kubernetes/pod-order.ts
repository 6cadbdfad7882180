/** The order of a job's pod, and the names of the objects that belong to it. */
import type { Offer } from '@dstack/core';
import type { ContainerOrder, InstanceOrder } from '../base/instance-port.ts';
import { type Described, objectName } from './labels.ts';
import type { AgentSource } from './pod-agent.ts';

export interface PodOrder {
  readonly order: InstanceOrder;
  readonly container: ContainerOrder;
  readonly offer: Offer;
  readonly namespace: string;
  readonly agent: AgentSource;
}

export function podName({ owner, key }: InstanceOrder, { jobName }: ContainerOrder): string {
  return objectName([owner.project, jobName], key);
}

export const secretName = (pod: string): string => `${pod}-agent`;
export const pullSecretName = (pod: string): string => `${pod}-registry-auth`;

export function describedBy({ order, container }: PodOrder): Described {
  const { owner, key, tags } = order;
  const { runName: title, userName: user } = container;
  const name = podName(order, container);
  return { name, component: 'job', key, owner, title, user, tags };
}
