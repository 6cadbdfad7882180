import { isRunFinished } from '@dstack/contract/status';
import type { RunPlan, RunSpec } from '@dstack/contract/wire';
import { selectProfile } from '../../config/profiles.ts';
import { withIdeVersion } from '../../configuration/ide-version.ts';
import type { LoadedConfiguration } from '../../configuration/load-file.ts';
import { requireSecrets } from '../../configuration/secrets.ts';
import type { ApplicableRun } from '../../configuration/types.ts';
import type { Cli, Connection } from '../../context.ts';
import { type PackedFiles, packFiles } from '../../files/upload.ts';
import { requireAccepted } from '../../files/upload-limit.ts';
import type { PreparedRepo } from '../../repos/prepare.ts';
import { printPlanNotes } from '../../runs/plan-notes.ts';
import { scheduledStart } from '../../runs/run-status.ts';
import { scheduleLines } from '../../runs/schedule-lines.ts';
import { serviceLines } from '../../runs/service-url.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import { withSpinner } from '../../terminal/live.ts';
import { hangingText } from '../../terminal/text-width.ts';
import type { ApplyOptions } from './apply-options.ts';
import { followRun } from './attached.ts';
import { offerDefaultFleet } from './default-fleet.ts';
import { missingOffersNotice, outlookNotice, quotaNotices, waitsAnyway } from './no-offers.ts';
import { applyFlags, resolveReferences } from './overrides.ts';
import { runPlanText } from './run-plan.ts';
import { type Difference, diffSpecs, renderDiff } from './spec-diff.ts';

type Loaded = LoadedConfiguration & { readonly value: ApplicableRun };

/** Applies a task, a service or a dev environment. */
export async function runApplyRun(loaded: Loaded, options: ApplyOptions, cli: Cli): Promise<void> {
  const { flags } = options;
  const overridden = await applyFlags(loaded.value, flags);
  const resolved = resolveReferences(overridden, {
    envFlags: flags.env,
    runArgs: options.runArgs,
    env: cli.env,
  });
  const configuration = await withIdeVersion(resolved, cli);
  const profile = await selectProfile(flags.profile.profile, cli);
  const sshKey = flags.sshIdentity === null ? null : await publicKeyOf(flags.sshIdentity, cli);
  const connection = await cli.connect();
  await requireSecrets(configuration, connection);
  const { prepareRepo } = await import('../../repos/prepare.ts');
  const repo = await prepareRepo(configuration, flags.repo, loaded.directory, connection, cli);
  const files = await packFiles(configuration.files, loaded.directory, connection, cli);
  await requireAccepted([...repo.missing, ...files.missing], connection);
  const spec = {
    run_name: configuration.name ?? null,
    repo_id: repo.id,
    repo_data: repo.data,
    repo_code_hash: repo.codeHash,
    repo_dir: repo.directory,
    file_archives: files.known,
    working_dir: null,
    configuration_path: loaded.path,
    configuration: forOlderServers({ ...configuration, files: files.mappings }),
    profile,
    ssh_key_pub: sshKey,
  } as RunSpec;
  const getPlan = () =>
    withSpinner(cli.io, 'Getting apply plan...', () =>
      connection.project.runs.getPlan({
        run_spec: spec,
        max_offers: flags.maxOffers,
        full_offers: flags.fullOffers,
        unallocated_resources: flags.unallocated,
        for_offers_only: false,
      }),
    );
  const found = await getPlan();
  const plan = (await offerDefaultFleet(found, options, connection, cli)) ? await getPlan() : found;
  await showPlan(plan, options, connection, cli);
  if (options.dryRun) return;
  if (!options.detach) await requirePorts(plan, options);
  const decision = decide(plan);
  if (decision.unchanged && options.yes && !options.force) {
    cli.io.info('Exiting... (nothing to change; --force submits anyway)');
    return;
  }
  if (!options.yes && !(await cli.prompt.confirm(decision.question))) {
    if (options.json) cli.io.json(plan);
    cli.io.info('Exiting...');
    return;
  }
  await submit({ plan, decision, repo, files, connection }, options, cli);
}

/** Invalid values of `-p` are reported before anything is submitted. */
async function requirePorts(plan: RunPlan, { flags }: ApplyOptions): Promise<void> {
  if (flags.ports.length === 0) return;
  const { parsePortOption: parsePort, requireFree } = await import('../../ssh/ports.ts');
  const { refuseOwnPort } = await import('../../ssh/attach-run.ts');
  for (const port of flags.ports.map(parsePort)) {
    refuseOwnPort(port, plan.job_plans[0]?.offers[0]);
    if (port.local !== null) await requireFree(port.local, port.remote, flags.host);
  }
}

interface Decision {
  readonly question: string;
  readonly unchanged: boolean;
  /** An active run of that name must end first. */
  readonly overrides: boolean;
  /** Printed before the question. */
  readonly notice: string;
}

/** The effect that applying the plan would have on a run that may already exist. */
export function decide(plan: RunPlan): Decision {
  const name = plan.run_spec.run_name;
  const current = plan.current_resource;
  if (!current || isRunFinished(current.status)) {
    const question = name ? `Submit the run ${name}?` : 'Submit a new run?';
    return { question, unchanged: false, overrides: false, notice: '' };
  }
  const wanted = plan.effective_run_spec ?? plan.run_spec;
  const differences: readonly Difference[] = diffSpecs(current.run_spec, wanted);
  const list = renderDiff(differences);
  const exists = `Active run ${name} already exists.`;
  if (plan.action === 'update' && differences.length > 0) {
    return {
      question: 'Update the run?',
      unchanged: false,
      overrides: false,
      notice: `${exists} Detected changes that can be updated in-place:\n${list}`,
    };
  }
  const question = 'Stop and override the run?';
  if (plan.action === 'update') {
    const notice = `${exists} Detected no configuration changes.\n`;
    return { question, unchanged: true, overrides: true, notice };
  }
  const notice =
    differences.length > 0
      ? `${exists} Detected changes that cannot be updated in-place:\n${list}`
      : `${exists}\n`;
  return { question, unchanged: false, overrides: true, notice };
}

async function showPlan(
  plan: RunPlan,
  options: ApplyOptions,
  connection: Connection,
  cli: Cli,
): Promise<void> {
  const { io } = cli;
  if (options.json) {
    if (options.dryRun) io.json(plan);
    return;
  }
  const layout = { width: io.width, paint: io.paint };
  io.print(
    runPlanText(plan, { verbose: options.verbose, maxOffers: options.flags.maxOffers, layout }),
  );
  printPlanNotes(plan, io);
  if (plan.job_plans[0]?.offers.length === 0 && !waitsAnyway(plan)) {
    const notice = await missingOffersNotice(plan, connection, { paint: io.paint, cwd: cli.cwd });
    io.print(`\n${hangingText(notice, 0, io.width)}`);
  } else {
    const outlook = outlookNotice(plan, cli.now());
    io.print(outlook === null ? '' : `\n${io.paint('warning', hangingText(outlook, 0, io.width))}`);
  }
  for (const line of quotaNotices(plan)) io.print(`${hangingText(line, 0, io.width)}\n`);
  const { notice } = decide(plan);
  if (notice) io.print(notice);
}

interface Submission {
  readonly plan: RunPlan;
  readonly decision: Decision;
  readonly repo: PreparedRepo;
  readonly files: PackedFiles;
  readonly connection: Connection;
}

async function submit(submission: Submission, options: ApplyOptions, cli: Cli): Promise<void> {
  const { plan, decision, repo, files, connection } = submission;
  // An active run is stopped only after everything that its successor needs has been accepted.
  await repo.register();
  const archives = await files.upload();
  const name = plan.current_resource?.run_spec.run_name;
  if (decision.overrides && name) {
    await withSpinner(cli.io, 'Stopping run...', async () => {
      await connection.project.runs.stop([name], false);
      await watchUntil(connection, name, cli.signal, (r) => isRunFinished(r.status));
    });
  }
  const run = await withSpinner(cli.io, 'Applying plan...', async () => {
    await repo.uploadDiff();
    // Sends the caller's spec, not the effective one, whose name may not be set yet.
    return connection.project.runs.apply({
      run_spec: {
        ...plan.run_spec,
        file_archives: [...archives],
        configuration: forOlderServers(plan.run_spec.configuration),
      },
      current_resource: plan.current_resource ?? null,
    });
  });
  const isScheduled = scheduledStart(run) !== null;
  if (options.detach || isScheduled) {
    if (options.json) cli.io.json(run);
    const runName = run.run_spec.run_name ?? '';
    // Until its first start, a run with a schedule has no output.
    const logs = run.array ? `dstack ps --members ${runName}` : `dstack logs -f ${runName}`;
    const hint = isScheduled ? '' : ` (${logs})`;
    cli.io.info(`Run ${cli.io.paintErr('code', runName)} submitted, detaching...${hint}`);
    for (const line of scheduleLines(run, cli.io.paintErr)) cli.io.info(line);
    for (const line of serviceLines(run, connection)) cli.io.info(line);
    return;
  }
  await followRun(run, { connection, options }, cli);
}

/** Servers before 0.22 do not have these fields, so they are omitted where they are empty. */
function forOlderServers(configuration: ApplicableRun): ApplicableRun {
  const fields: Record<string, unknown> = { ...configuration };
  for (const field of ['groups', ...(configuration.type === 'task' ? ['nodes'] : [])]) {
    if (fields[field] === null || fields[field] === undefined) delete fields[field];
  }
  return fields as unknown as ApplicableRun;
}

async function publicKeyOf(identity: string, cli: Cli): Promise<string> {
  const { readPublicKey } = await import('../../ssh/identity.ts');
  return readPublicKey(identity, cli);
}
