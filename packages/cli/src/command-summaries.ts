/** A command as listed in help texts and completion scripts. */
export interface CommandSummary {
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
}

export const COMMAND_SUMMARIES = [
  { name: 'apply', summary: 'Apply a configuration: plan, confirm, create or update' },
  { name: 'attach', summary: 'Attach to a run: forward its ports, enable ssh' },
  { name: 'completion', summary: 'Print the completion script of a shell' },
  { name: 'cost', summary: 'Show what runs have cost' },
  { name: 'cp', summary: 'Copy files between this computer and a job' },
  { name: 'delete', alias: 'destroy', summary: 'Delete what a configuration describes' },
  { name: 'doctor', summary: 'Check this computer, the server and your rights' },
  { name: 'event', summary: 'Show what happened' },
  { name: 'exec', summary: 'Run a command in a job over the API, without SSH' },
  { name: 'explain', summary: 'Explain the state of a run, fleet, instance or other resource' },
  { name: 'export', summary: 'Manage exports to other projects' },
  { name: 'fleet', summary: 'Manage fleets' },
  { name: 'gateway', summary: 'Manage gateways' },
  { name: 'import', summary: 'Manage imports from other projects' },
  { name: 'init', summary: 'Write a first configuration, or give access to a Git repository' },
  { name: 'instance', summary: 'List instances, and keep new jobs off them' },
  { name: 'login', summary: 'Log in to a server' },
  { name: 'logs', summary: 'Show the output of a run' },
  { name: 'mcp', summary: 'Serve dstack to an AI agent (MCP over stdio)' },
  { name: 'metrics', summary: 'Show utilization and memory of a run' },
  { name: 'offer', summary: 'Show available machines and prices' },
  { name: 'open', summary: 'Open a service, an editor, or the web UI in the browser' },
  { name: 'port-forward', summary: 'Forward local ports to a job over the API' },
  { name: 'preset', summary: 'Presets of dstack 0.22, which this server does not have' },
  { name: 'project', summary: 'Manage the projects configured on this computer' },
  { name: 'ps', summary: 'List runs' },
  { name: 'rollout', summary: 'Show, pause, resume or undo the update of a service' },
  { name: 'run', summary: 'Show a run' },
  { name: 'secret', summary: 'Manage secrets' },
  { name: 'server', summary: 'Start a server, back it up, or show what it stores' },
  { name: 'skill', summary: 'Install skill files for AI agents' },
  { name: 'ssh', summary: 'Run a command or a shell in a run' },
  { name: 'stop', summary: 'Stop runs' },
  { name: 'token', summary: 'Manage tokens of programs' },
  { name: 'top', summary: 'Show running jobs, GPUs and hosts, live' },
  { name: 'usage', summary: 'Show requests and tokens of models' },
  { name: 'user', summary: 'Manage the users of the server' },
  { name: 'validate', summary: 'Check a configuration without a server' },
  { name: 'volume', summary: 'Manage volumes' },
  { name: 'wait', summary: 'Wait until a run is running or has ended' },
] as const satisfies readonly CommandSummary[];
