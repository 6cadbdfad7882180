import type { Installation } from '@dstack/testkit';
import { configuration, isFinished, type ShownRun, submit, untilRun } from './installation.ts';
import { waitFor } from './until.ts';

export interface ShownVolume {
  readonly id: string;
  readonly status: string;
  readonly status_message: string | null;
  readonly volume_id: string | null;
  readonly configuration: { readonly backend: string; readonly region: string };
  readonly provisioning_data: { readonly availability_zone: string | null } | null;
  readonly attachments: readonly { readonly instance: { readonly name: string } }[];
}

export async function applyVolume(
  home: Installation,
  name: string,
  region: string,
  more = '',
  backend = 'remote',
): Promise<string> {
  const yaml = `type: volume\nname: ${name}\nbackend: ${backend}\nregion: ${region}\n${more}`;
  const file = configuration(home, `${name}.volume.dstack.yml`, yaml);
  return await home.ok('apply', '-f', file, '-y');
}

/** Null: there is none with this name. */
export async function findVolume(home: Installation, name: string): Promise<ShownVolume | null> {
  const listed = await home.ok('volume', 'list', '--json');
  const { volumes } = JSON.parse(listed) as { volumes: (ShownVolume & { name: string })[] };
  return volumes.find((volume) => volume.name === name) ?? null;
}

/** Polls until the volume satisfies the condition. */
export async function untilVolume(
  home: Installation,
  name: string,
  is: (volume: ShownVolume | null) => boolean,
): Promise<ShownVolume | null> {
  return await waitFor(() => findVolume(home, name), is, JSON.stringify);
}

export const isDeleted = (volume: ShownVolume | null): boolean => volume === null;

/** Runs a task that mounts the volume, to its end. */
export async function runWith(
  home: Installation,
  name: string,
  volumes: string,
  commands: readonly string[],
  more = '',
): Promise<{ readonly run: ShownRun; readonly logs: string }> {
  await submit(home, name, commands, `${more}volumes: [${volumes}]\n`);
  const run = await untilRun(home, name, isFinished);
  return { run, logs: await home.ok('logs', name) };
}

export async function volumeEvents(home: Installation, id: string): Promise<string[]> {
  const request = { target_volumes: [id], ascending: true };
  const events = await home.api<{ message: string }[]>('/api/events/list', request);
  return events.map(({ message }) => message);
}
