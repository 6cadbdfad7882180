import { isVolumeFailed, isVolumePassing } from '@dstack/contract/status';
import type { Volume, VolumeConfiguration } from '@dstack/contract/wire';
import type { LoadedConfiguration } from '../../configuration/load-file.ts';
import type { Cli, Connection } from '../../context.ts';
import { sizeGb } from '../../format/values.ts';
import { orForbidden, orNull } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderProperties } from '../../terminal/table.ts';
import { volumePlace } from '../volume/volume-place.ts';
import { renderVolumeTable } from '../volume/volume-table.ts';
import type { ApplyOptions } from './apply-options.ts';
import {
  type CreateDecision,
  confirmed,
  decideCreate,
  provisioningFailed,
  waitUntil,
  watchProvisioning,
} from './create-flow.ts';
import { diffFields } from './spec-diff.ts';

type Loaded = LoadedConfiguration & { readonly value: VolumeConfiguration };

/** Applies a volume. The API has no plan for volumes: any change means a new volume. */
export async function runApplyVolume(
  loaded: Loaded,
  options: ApplyOptions,
  cli: Cli,
): Promise<void> {
  const name = options.flags.name ?? loaded.value.name ?? null;
  const configuration = { ...loaded.value, name } as VolumeConfiguration;
  const connection = await cli.connect();
  const { project, client } = connection;
  const user = (await orForbidden(() => client.users.getMyUser()))?.username ?? '-';
  const current = name ? await orNull(() => project.volumes.get(name)) : null;
  const decision = decideVolume(name, current, configuration);
  const plan = { project_name: project.name, user, configuration, current };
  if (options.json) {
    if (options.dryRun) cli.io.json(plan);
  } else {
    cli.io.print(planText(configuration, loaded.path, user, connection, cli));
    if (decision.notice) cli.io.print(decision.notice);
  }
  if (options.dryRun) return;
  if (!(await confirmed(decision, options, cli))) {
    if (options.json) cli.io.json(plan);
    return;
  }
  if (current) {
    await project.volumes.delete([current.name]);
    const isDeleted = async () => (await orNull(() => project.volumes.get(current.name))) === null;
    await waitUntil('Deleting existing volume...', cli, isDeleted);
  }
  const volume = await withSpinner(cli.io, 'Creating volume...', () =>
    project.volumes.create(configuration),
  );
  const ready = options.detach ? volume : await provision(volume, options, connection, cli);
  if (ready === null) return;
  if (options.json) cli.io.json(ready);
  else cli.io.print(table(ready, cli));
  if (isVolumeFailed(ready.status)) {
    throw provisioningFailed('volume', ready.name, ready.status_message ?? null);
  }
}

/**
 * Re-creating a managed volume destroys its data, which the question must state. A failed volume
 * never held data, so retrying needs no change and destroys nothing.
 */
export function decideVolume(
  name: string | null,
  current: Volume | null,
  wanted: VolumeConfiguration,
): CreateDecision {
  if (current === null) return decideCreate('volume', name, null);
  if (isVolumeFailed(current.status)) {
    const why = current.status_message ? ` (${current.status_message})` : '';
    return {
      notice: `Found volume ${current.name}, which has failed${why}.`,
      question: 'Re-create the volume?',
      unchanged: false,
      replaces: true,
    };
  }
  const differences = diffFields({ ...current.configuration }, { ...wanted });
  const decision = decideCreate('volume', name, { differences, action: 'create' });
  if (current.external) return decision;
  const question = 'Re-create the volume? ALL DATA ON IT WILL BE LOST';
  return { ...decision, question, losesData: true };
}

function provision(
  volume: Volume,
  options: ApplyOptions,
  { project }: Connection,
  cli: Cli,
): Promise<Volume | null> {
  return watchProvisioning<Volume>(
    {
      title: `Provisioning ${volume.name}...`,
      noun: 'volume',
      get: () => project.volumes.get(volume.name),
      done: (v) => !isVolumePassing(v.status),
      table: (v) => table(v, cli),
      delete: () => project.volumes.delete([volume.name]),
    },
    options,
    cli,
  );
}

function table(volume: Volume, cli: Cli): string {
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderVolumeTable([volume], { verbose: false, now: cli.now(), layout });
}

function planText(
  configuration: VolumeConfiguration,
  path: string,
  user: string,
  { project }: Connection,
  cli: Cli,
): string {
  const fields = configuration as Readonly<Record<string, unknown>>;
  const external = Boolean(fields.volume_id || fields.claim_name);
  const { backend, region } = volumePlace(configuration);
  const properties: (readonly [string, string] | null)[] = [
    ['Project', project.name],
    ['User', user],
    ['Configuration', path],
    ['Type', 'volume'],
    ['Volume type', external ? 'external' : 'managed'],
    ['Backend', backend],
    region ? ['Region', region] : null,
    fields.availability_zone ? ['Zone', String(fields.availability_zone)] : null,
    typeof fields.size === 'number' ? ['Size', sizeGb(fields.size)] : null,
  ];
  return renderProperties(
    properties.filter((p) => p !== null),
    { width: cli.io.width, paint: cli.io.paint },
  );
}
