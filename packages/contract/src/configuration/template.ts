import * as z from 'zod';
import { optional, string } from './scalars.ts';
import { choice, closed, named, tagged } from './schema-kit.ts';

function parameter<const T extends string>(name: string, type: T) {
  return named(name, closed({ type: choice([type], 'literal_error') }));
}

export const NameUITemplateParameter = parameter('NameUITemplateParameter', 'name');
export const IDEUITemplateParameter = parameter('IDEUITemplateParameter', 'ide');
export const ResourcesUITemplateParameter = parameter('ResourcesUITemplateParameter', 'resources');
export const PythonOrDockerUITemplateParameter = parameter(
  'PythonOrDockerUITemplateParameter',
  'python_or_docker',
);
export const RepoUITemplateParameter = parameter('RepoUITemplateParameter', 'repo');
export const WorkingDirUITemplateParameter = parameter(
  'WorkingDirUITemplateParameter',
  'working_dir',
);

export const EnvUITemplateParameter = named(
  'EnvUITemplateParameter',
  closed({
    type: choice(['env'], 'literal_error'),
    title: optional(string()),
    name: optional(string()),
    value: optional(string()),
  }),
);

/** A value that the UI requests before it applies a template. */
export const UITemplateParameter = tagged('type', {
  name: NameUITemplateParameter,
  ide: IDEUITemplateParameter,
  resources: ResourcesUITemplateParameter,
  python_or_docker: PythonOrDockerUITemplateParameter,
  repo: RepoUITemplateParameter,
  working_dir: WorkingDirUITemplateParameter,
  env: EnvUITemplateParameter,
});
export type UITemplateParameter = z.infer<typeof UITemplateParameter>;

/** A run configuration with parameters, stored in a repository of templates. */
export const UITemplate = named(
  'UITemplate',
  closed({
    type: choice(['template'], 'literal_error'),
    name: string(),
    title: string(),
    description: optional(string()),
    parameters: z.array(UITemplateParameter).default([]),
    configuration: z.record(z.string(), z.unknown()),
  }),
);
export type UITemplate = z.infer<typeof UITemplate>;
