import type { Command } from 'commander';
import type { Cli } from './context.ts';

/** Adds one command to the program. */
export type Declare = (program: Command, cli: Cli) => void;

export interface CommandEntry {
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
  readonly load: () => Promise<Declare>;
}

/** Every command. What one needs is loaded only when it is called. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'apply',
    summary: 'Apply a configuration: plan, confirm, create or update',
    load: async () => (await import('./commands/apply/declare.ts')).declareApply,
  },
  {
    name: 'attach',
    summary: 'Attach to a run: forward its ports, enable ssh',
    load: async () => (await import('./commands/attach/attach.ts')).declareAttach,
  },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell',
    load: async () => (await import('./commands/completion/completion.ts')).declareCompletion,
  },
  {
    name: 'delete',
    alias: 'destroy',
    summary: 'Delete what a configuration describes',
    load: async () => (await import('./commands/delete/delete.ts')).declareDelete,
  },
  {
    name: 'event',
    summary: 'Show what happened',
    load: async () => (await import('./commands/event/event.ts')).declareEvent,
  },
  {
    name: 'explain',
    summary: 'Tell why a run is where it is',
    load: async () => (await import('./commands/explain/explain.ts')).declareExplain,
  },
  {
    name: 'export',
    summary: 'Manage exports to other projects',
    load: async () => (await import('./commands/export/export.ts')).declareExport,
  },
  {
    name: 'fleet',
    summary: 'Manage fleets',
    load: async () => (await import('./commands/fleet/fleet.ts')).declareFleet,
  },
  {
    name: 'gateway',
    summary: 'Manage gateways',
    load: async () => (await import('./commands/gateway/gateway.ts')).declareGateway,
  },
  {
    name: 'import',
    summary: 'Manage imports from other projects',
    load: async () => (await import('./commands/import/import.ts')).declareImport,
  },
  {
    name: 'init',
    summary: 'Give dstack access to a Git repository',
    load: async () => (await import('./commands/init/init.ts')).declareInit,
  },
  {
    name: 'logs',
    summary: 'Show the output of a run',
    load: async () => (await import('./commands/logs/logs.ts')).declareLogs,
  },
  {
    name: 'metrics',
    summary: 'Show utilization and memory of a run',
    load: async () => (await import('./commands/metrics/metrics.ts')).declareMetrics,
  },
  {
    name: 'offer',
    summary: 'Show available machines and prices',
    load: async () => (await import('./commands/offer/offer.ts')).declareOffer,
  },
  {
    name: 'project',
    summary: 'Manage the projects this machine knows',
    load: async () => (await import('./commands/project/project.ts')).declareProject,
  },
  {
    name: 'ps',
    summary: 'List runs',
    load: async () => (await import('./commands/ps/ps.ts')).declarePs,
  },
  {
    name: 'run',
    summary: 'Show a run',
    load: async () => (await import('./commands/run/run.ts')).declareRun,
  },
  {
    name: 'secret',
    summary: 'Manage secrets',
    load: async () => (await import('./commands/secret/secret.ts')).declareSecret,
  },
  {
    name: 'server',
    summary: 'Start a server',
    load: async () => (await import('./commands/server/server.ts')).declareServer,
  },
  {
    name: 'stop',
    summary: 'Stop runs',
    load: async () => (await import('./commands/stop/stop.ts')).declareStop,
  },
  {
    name: 'validate',
    summary: 'Check a configuration without a server',
    load: async () => (await import('./commands/validate/validate.ts')).declareValidate,
  },
  {
    name: 'volume',
    summary: 'Manage volumes',
    load: async () => (await import('./commands/volume/volume.ts')).declareVolume,
  },
  {
    name: 'wait',
    summary: 'Wait until a run is running or has ended',
    load: async () => (await import('./commands/wait/wait.ts')).declareWait,
  },
];

/** The options every command has, for the end of each help text. */
export const GLOBAL_HELP = `
Global options (anywhere on the line):
  --project <name>   project, default: DSTACK_PROJECT, then the default project
  --color <when>     auto, always or never
  --debug            show stack traces of failures`;

export const EXIT_CODE_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage or no answer, 130 interrupted`;

/** The help of `dstack` alone; needs no command to be loaded. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map((c) => c.name.length));
  const lines = COMMANDS.map((c) => `  ${c.name.padEnd(width)}   ${c.summary}`);
  return `Usage: dstack [options] <command>

Runs AI workloads on any cloud, cluster or machine.

Commands:
${lines.join('\n')}

Options:
  -v, --version      print the version
  -h, --help         print help; dstack <command> --help for one command
${GLOBAL_HELP}
${EXIT_CODE_HELP}
`;
}
