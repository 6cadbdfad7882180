import type { Command } from 'commander';
import { COMMAND_SUMMARIES, type CommandSummary } from './command-summaries.ts';
import type { Cli } from './context.ts';

/** Adds one command to the program. */
export type Declare = (program: Command, cli: Cli) => void;

export interface CommandEntry extends CommandSummary {
  readonly load: () => Promise<Declare>;
}

type CommandName = (typeof COMMAND_SUMMARIES)[number]['name'];

/** The code of a command is loaded only when the command is called. */
const LOADERS: Readonly<Record<CommandName, () => Promise<Declare>>> = {
  apply: async () => (await import('./commands/apply/declare.ts')).declareApply,
  attach: async () => (await import('./commands/attach/attach.ts')).declareAttach,
  backend: async () => (await import('./commands/backend/backend.ts')).declareBackend,
  completion: async () => (await import('./commands/completion/completion.ts')).declareCompletion,
  cost: async () => (await import('./commands/cost/cost.ts')).declareCost,
  cp: async () => (await import('./commands/cp/cp.ts')).declareCp,
  delete: async () => (await import('./commands/delete/delete.ts')).declareDelete,
  doctor: async () => (await import('./commands/doctor/doctor.ts')).declareDoctor,
  event: async () => (await import('./commands/event/event.ts')).declareEvent,
  exec: async () => (await import('./commands/exec/exec.ts')).declareExec,
  explain: async () => (await import('./commands/explain/explain.ts')).declareExplain,
  export: async () => (await import('./commands/export/export.ts')).declareExport,
  fleet: async () => (await import('./commands/fleet/fleet.ts')).declareFleet,
  gateway: async () => (await import('./commands/gateway/gateway.ts')).declareGateway,
  hold: async () => (await import('./commands/hold/hold.ts')).declareHold,
  import: async () => (await import('./commands/import/import.ts')).declareImport,
  init: async () => (await import('./commands/init/init.ts')).declareInit,
  instance: async () => (await import('./commands/instance/instance.ts')).declareInstance,
  login: async () => (await import('./commands/login/login.ts')).declareLogin,
  logs: async () => (await import('./commands/logs/logs.ts')).declareLogs,
  mcp: async () => (await import('./commands/mcp/mcp.ts')).declareMcp,
  metrics: async () => (await import('./commands/metrics/metrics.ts')).declareMetrics,
  offer: async () => (await import('./commands/offer/offer.ts')).declareOffer,
  open: async () => (await import('./commands/open/open.ts')).declareOpen,
  'port-forward': async () =>
    (await import('./commands/port-forward/port-forward.ts')).declarePortForward,
  preset: async () => (await import('./commands/preset/preset.ts')).declarePreset,
  priority: async () => (await import('./commands/priority/priority.ts')).declarePriority,
  project: async () => (await import('./commands/project/project.ts')).declareProject,
  ps: async () => (await import('./commands/ps/ps.ts')).declarePs,
  queue: async () => (await import('./commands/queue/queue.ts')).declareQueue,
  service: async () => (await import('./commands/service/service.ts')).declareService,
  share: async () => (await import('./commands/share/share.ts')).declareShare,
  quota: async () => (await import('./commands/quota/quota.ts')).declareQuota,
  release: async () => (await import('./commands/release/release.ts')).declareRelease,
  rerun: async () => (await import('./commands/rerun/rerun.ts')).declareRerun,
  rollout: async () => (await import('./commands/rollout/rollout.ts')).declareRollout,
  run: async () => (await import('./commands/run/run.ts')).declareRun,
  secret: async () => (await import('./commands/secret/secret.ts')).declareSecret,
  server: async () => (await import('./commands/server/server.ts')).declareServer,
  skill: async () => (await import('./commands/skill/skill.ts')).declareSkill,
  ssh: async () => (await import('./commands/ssh/ssh.ts')).declareSsh,
  stop: async () => (await import('./commands/stop/stop.ts')).declareStop,
  token: async () => (await import('./commands/token/token.ts')).declareToken,
  top: async () => (await import('./commands/top/top.ts')).declareTop,
  usage: async () => (await import('./commands/usage/usage.ts')).declareUsage,
  user: async () => (await import('./commands/user/user.ts')).declareUser,
  validate: async () => (await import('./commands/validate/validate.ts')).declareValidate,
  volume: async () => (await import('./commands/volume/volume.ts')).declareVolume,
  wait: async () => (await import('./commands/wait/wait.ts')).declareWait,
};

/** Every command. */
export const COMMANDS: readonly CommandEntry[] = COMMAND_SUMMARIES.map((summary) => ({
  ...summary,
  load: LOADERS[summary.name],
}));

/** The options of every command, for the end of each help text. */
export const GLOBAL_HELP = `
Global options (anywhere on the line):
  --project <name>   project, default: DSTACK_PROJECT, then the default project
  --color <when>     auto, always or never
  --debug            show requests, and stack traces of failures`;

export const EXIT_CODE_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage or no answer, 3 not found, 4 not allowed,
            5 no capacity, 6 rolled back, 130 interrupted;
            of a run that was waited for: that of its program`;

/** The help of `dstack` alone; it needs no command to be loaded. */
export function commandOverview(): string {
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
