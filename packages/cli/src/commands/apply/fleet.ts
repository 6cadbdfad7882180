import {
  type InstanceStatus,
  isInstanceStarting,
  isInstanceTerminated,
  isInstanceTerminating,
} from '@dstack/contract/status';
import type { Fleet, FleetConfiguration, FleetPlan, FleetSpec } from '@dstack/contract/wire';
import { selectProfile } from '../../config/profiles.ts';
import { type EnvValue, resolveEnv } from '../../configuration/env.ts';
import type { LoadedConfiguration } from '../../configuration/load-file.ts';
import type { Cli, Connection } from '../../context.ts';
import { CliError, UsageError } from '../../errors.ts';
import { absolutePath } from '../../files/upload.ts';
import { orNull } from '../../resource-error.ts';
import { printPlanNotes } from '../../runs/plan-notes.ts';
import { withSpinner } from '../../terminal/live.ts';
import { instanceMessage, renderFleetTable } from '../fleet/fleet-table.ts';
import type { ApplyOptions } from './apply-options.ts';
import {
  type CreateDecision,
  confirmed,
  decideCreate,
  waitUntil,
  watchProvisioning,
} from './create-flow.ts';
import { fleetPlanText } from './fleet-plan.ts';
import { diffSpecs } from './spec-diff.ts';

type Loaded = LoadedConfiguration & { readonly value: FleetConfiguration };

/** Applies a fleet. */
export async function runApplyFleet(
  loaded: Loaded,
  options: ApplyOptions,
  cli: Cli,
): Promise<void> {
  const configuration = await prepare(loaded, options, cli);
  const profile = await selectProfile(null, cli);
  const connection = await cli.connect();
  const spec: FleetSpec = {
    configuration,
    configuration_path: loaded.path,
    profile,
    autocreated: false,
  };
  const { project } = connection;
  const { autocreated: _default, ...sent } = spec;
  const plan = await withSpinner(cli.io, 'Getting apply plan...', () =>
    project.fleets.getPlan(sent as FleetSpec),
  );
  const decision = decideFleet(plan);
  show(plan, decision, options, cli);
  if (options.dryRun) return;
  if (!(await confirmed(decision, options, cli))) {
    if (options.json) cli.io.json(plan);
    return;
  }
  const name = plan.current_resource?.name;
  if (decision.replaces && name) {
    await project.fleets.delete([name]);
    const isDeleted = async () => (await orNull(() => project.fleets.get({ name }))) === null;
    await waitUntil('Deleting existing fleet...', cli, isDeleted);
  }
  const fleet = await withSpinner(cli.io, 'Applying plan...', () =>
    project.fleets.apply({ spec: plan.spec, current_resource: plan.current_resource ?? null }),
  );
  if (options.detach) {
    if (options.json) cli.io.json(fleet);
    else cli.io.info(`Fleet ${fleet.name} submitted, detaching... (dstack fleet)`);
    return;
  }
  await provision(fleet, options, connection, cli);
}

async function prepare(
  { value, directory }: Loaded,
  options: ApplyOptions,
  cli: Cli,
): Promise<FleetConfiguration> {
  const { ssh_config: ssh } = value;
  const hasEnv = options.flags.env.length > 0 || Object.keys(value.env ?? {}).length > 0;
  if (!ssh && hasEnv) {
    throw new UsageError('`env` is for fleets of SSH hosts only', {
      why: 'this fleet has `nodes`',
      next: 'put environment variables into the configuration of the run',
    });
  }
  const env = resolveEnv(
    (value.env ?? {}) as Readonly<Record<string, EnvValue>>,
    options.flags.env,
    cli.env,
  );
  const name = options.flags.name ?? value.name;
  if (!ssh) return { ...value, env, name };
  return { ...value, env, name, ssh_config: await withKeys(ssh, directory, cli) };
}

type SshConfig = NonNullable<FleetConfiguration['ssh_config']>;

/** Reads every identity file: the server receives key material, not paths. */
async function withKeys(ssh: SshConfig, directory: string, cli: Cli): Promise<SshConfig> {
  const { readKeyPair } = await import('../../ssh/identity.ts');
  const keyOf = async (file: string | null | undefined) =>
    file ? readKeyPair(absolutePath(file, directory, cli.home), cli) : null;
  const jump = async <T extends { identity_file?: string | null }>(proxy: T | null | undefined) =>
    proxy ? { ...proxy, ssh_key: await keyOf(proxy.identity_file) } : (proxy ?? null);
  return {
    ...ssh,
    ssh_key: await keyOf(ssh.identity_file),
    proxy_jump: await jump(ssh.proxy_jump),
    hosts: await Promise.all(
      ssh.hosts.map(async (host) =>
        typeof host === 'string'
          ? host
          : {
              ...host,
              ssh_key: await keyOf(host.identity_file),
              proxy_jump: await jump(host.proxy_jump),
            },
      ),
    ),
  } as SshConfig;
}

export function decideFleet(plan: FleetPlan): CreateDecision {
  const current = plan.current_resource;
  const wanted = plan.effective_spec ?? plan.spec;
  const name = current?.name ?? plan.spec.configuration.name ?? null;
  if (!current) return decideCreate('fleet', name, null);
  const differences = diffSpecs(withoutKeys(current.spec), withoutKeys(wanted));
  return decideCreate('fleet', name, { differences, action: plan.action ?? null });
}

/** The server never returns keys, so keys cannot count as a change; neither can the file's name. */
function withoutKeys(spec: FleetSpec): Readonly<Record<string, unknown>> {
  const { configuration_path: _path, autocreated: _auto, ...rest } = spec;
  return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'ssh_key' ? null : value)));
}

function show(plan: FleetPlan, decision: CreateDecision, options: ApplyOptions, cli: Cli): void {
  if (options.json) {
    if (options.dryRun) cli.io.json(plan);
    return;
  }
  cli.io.print(fleetPlanText(plan, { width: cli.io.width, paint: cli.io.paint }));
  printPlanNotes(plan, cli.io);
  if (decision.notice) cli.io.print(decision.notice);
}

const isPassing = (status: InstanceStatus): boolean =>
  isInstanceStarting(status) || isInstanceTerminating(status);

/** A host that does not answer for this long will hardly answer in the next second. */
const STUCK_HOSTS_MS = 60_000;
/** Machines of clouds boot for minutes without a report. */
const STUCK_CLOUD_MS = 15 * 60_000;

/** The server keeps trying, but a script that waits for this command must not wait for ever. */
function notReady(fleet: Fleet, pending: Fleet['instances'], cli: Cli): CliError {
  const of = fleet.instances.length;
  const reasons = pending.map(
    (i) => `instance ${i.instance_num}: ${instanceMessage(i) || i.status}`,
  );
  return new CliError(`${pending.length} of ${of} instances ${isAre(pending)} not ready`, {
    why: reasons.join(`\n${' '.repeat(8)}`),
    next: `nothing: the server keeps trying (${cli.io.paintErr('code', 'dstack fleet')} shows how far it is)`,
  });
}

const isAre = (list: readonly unknown[]): string => (list.length === 1 ? 'is' : 'are');

async function provision(
  fleet: Fleet,
  options: ApplyOptions,
  { project }: Connection,
  cli: Cli,
): Promise<void> {
  const { io } = cli;
  const isSsh = Boolean(fleet.spec.configuration.ssh_config);
  const table = (now: number | null, width: number | null) => (f: Fleet) =>
    renderFleetTable([f], {
      verbose: false,
      project: project.name,
      now,
      layout: { width, paint: io.paint },
    });
  const ready = await watchProvisioning<Fleet>(
    {
      title: `Provisioning ${fleet.name}...`,
      noun: 'fleet',
      get: () => project.fleets.get({ name: fleet.name }),
      done: (f) => !f.instances.some((i) => isPassing(i.status)),
      table: table(cli.now(), io.errWidth),
      isStuck: (unchangedMs) => unchangedMs >= (isSsh ? STUCK_HOSTS_MS : STUCK_CLOUD_MS),
      steps: (f) => f.instances.map(instanceMessage).filter((step) => step !== ''),
      delete: () => project.fleets.delete([fleet.name]),
    },
    options,
    cli,
  );
  if (ready === null) return;
  if (options.json) io.json(ready);
  else io.print(table(null, io.width)(ready));
  const failed = ready.instances.filter((i) => isInstanceTerminated(i.status));
  if (failed.length === 0) {
    const pending = ready.instances.filter((i) => isPassing(i.status));
    if (pending.length > 0) throw notReady(ready, pending, cli);
    return;
  }
  const active = ready.instances.length - failed.length;
  const min = ready.spec.configuration.nodes?.min ?? 0;
  throw new CliError(`${failed.length} of ${ready.instances.length} instances failed`, {
    why: [...new Set(failed.map((i) => i.termination_reason_message || i.termination_reason))]
      .filter(Boolean)
      // Aligns all lines below the first one.
      .join(`\n${' '.repeat(8)}`),
    next:
      active < min
        ? `nothing: it will be retried in the background (dstack event --within-fleet ${ready.name})`
        : `dstack event --within-fleet ${ready.name}`,
  });
}
