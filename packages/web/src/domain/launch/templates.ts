export interface LaunchTemplate {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly text: string;
}

/** Templates that every project has. */
export const LAUNCH_TEMPLATES: readonly LaunchTemplate[] = [
  {
    id: 'task',
    title: 'Task',
    description: 'Commands that run once',
    text: `type: task
name: train

python: "3.12"
commands:
  - echo Hello from $HOSTNAME

resources:
  cpu: 2..
  memory: 4GB..
`,
  },
  {
    id: 'dev-environment',
    title: 'Dev environment',
    description: 'A machine for your editor',
    text: `type: dev-environment
name: notebook

python: "3.12"
ide: vscode

resources:
  cpu: 2..
  memory: 4GB..
`,
  },
  {
    id: 'service',
    title: 'Service',
    description: 'An address that answers requests',
    text: `type: service
name: web

python: "3.12"
commands:
  - python -m http.server 8000
port: 8000

resources:
  cpu: 2..
  memory: 4GB..
`,
  },
];
