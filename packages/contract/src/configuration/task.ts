import * as z from 'zod';
import { TaskArray } from './array.ts';
import { unknownValue } from './array-members.ts';
import { GroupName, groupList } from './groups.ts';
import { PortMapping } from './port-mapping.ts';
import { defaultResources, ResourcesSpec } from './resources.ts';
import { type Break, checkImageChoice, withRules } from './rules.ts';
import { runShape } from './run-base.ts';
import { int, optional, ours, string } from './scalars.ts';
import { choice, closed, named } from './schema-kit.ts';

/** Nodes of one kind within a task; the first node of the first group is the master. */
export const NodeGroup = named(
  'NodeGroup',
  closed({
    name: GroupName,
    nodes: int({ ge: 1 }).default(1),
    resources: ResourcesSpec.default(defaultResources),
    commands: z.array(string()).default([]),
    ports: z.array(PortMapping).default([]),
  }),
);
export type NodeGroup = z.infer<typeof NodeGroup>;

export const TaskConfiguration = named(
  'TaskConfiguration',
  withRules(
    closed({
      nodes: optional(int({ ge: 1 })),
      groups: optional(groupList(NodeGroup)),
      ports: z.array(PortMapping).default([]),
      commands: z.array(string()).default([]),
      type: choice(['task'], 'literal_error').default('task'),
      array: ours(TaskArray),
      ...runShape,
    }),
    (task, broken) => {
      checkImageChoice(task, broken);
      checkArray(task, broken);
      if (task.groups) checkGroups(task, broken);
      else if (!task.image && task.commands?.length === 0) {
        broken(
          ['commands', 'image', 'groups'],
          'needs commands to run, or an image that starts a program by itself',
        );
      }
    },
  ),
);
export type TaskConfiguration = z.infer<typeof TaskConfiguration>;

type WithArray = Pick<TaskConfiguration, 'array' | 'nodes' | 'groups'>;

function checkArray(task: WithArray, broken: Break): void {
  if (task.array == null) return;
  if ((task.nodes ?? 1) > 1) {
    broken(['array', 'nodes'], 'can have one node per member only: remove nodes or array', [
      'nodes',
    ]);
  }
  if (task.groups) broken(['array', 'groups'], "can't be used beside groups", ['array']);
  const unknown = unknownValue(task, task.array);
  if (unknown === null) return;
  const [key = 'array'] = unknown.path;
  broken(['array', String(key)], unknown.message, unknown.path);
}

type WithGroups = Pick<
  TaskConfiguration,
  'groups' | 'nodes' | 'commands' | 'ports' | 'entrypoint' | 'image'
>;

function checkGroups(task: WithGroups, broken: Break): void {
  const inGroups = {
    nodes: task.nodes !== null,
    commands: task.commands?.length > 0,
    ports: task.ports?.length > 0,
    entrypoint: task.entrypoint !== null,
  };
  for (const [key, isSet] of Object.entries(inGroups)) {
    if (isSet) broken([key, 'groups'], `can't have ${key} beside groups: ${groupFix(key)}`);
  }
  const idle = (task.groups ?? []).filter((group) => group.commands?.length === 0);
  if (idle.length > 0 && !task.image) {
    const names = idle.map((group) => group.name).join(', ');
    broken(['groups', 'image'], `needs commands in each group, or an image; missing in: ${names}`);
  }
}

function groupFix(key: string): string {
  return key === 'entrypoint' ? 'remove it' : `set ${key} in each group`;
}
