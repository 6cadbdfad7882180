/** The batch job of an instance: how it is submitted, and what runs in it. */
import { createHash } from 'node:crypto';
import type { SlurmSettings } from '@dstack/contract';
import { shellJoin, shellQuote } from '@dstack/contract/shell';
import { Resources } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { ListedInstance, OwnerTags } from '../base/port.ts';

/** Slurm cuts longer names off in most of its tables. */
const MAX_NAME = 64;
const DIGITS = 12;
const NAME = /^dstack-[a-z0-9-]{1,44}-[0-9a-f]{12}$/;

/** The same key always gives the same name, so that a repeated order finds the first job. */
export function jobName(parts: readonly string[], key: string): string {
  const hash = createHash('sha256').update(key).digest('hex').slice(0, DIGITS);
  const text = parts
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-');
  const room = MAX_NAME - 'dstack-'.length - DIGITS - 1;
  return `dstack-${text.slice(0, room) || 'job'}-${hash}`;
}

/** Whether a name is one of ours, so that its folder may be removed. */
export const isJobName = (name: string): boolean => NAME.test(name);

export interface Comment {
  readonly key: string;
  readonly owner: OwnerTags;
  /** Of the ordered offer. */
  readonly resources: Resources;
}

/** Only characters that no table or file of Slurm changes. */
export function commentOf(comment: Comment): string {
  return `dstack:${Buffer.from(JSON.stringify(comment)).toString('base64url')}`;
}

export interface CommentFound extends Pick<ListedInstance, 'key' | 'owner'> {
  readonly resources: Resources | null;
}

/** Null: it is not one of ours, or a person has changed it. */
export function commentFrom(text: string): CommentFound | null {
  if (!text.startsWith('dstack:')) return null;
  try {
    const value = JSON.parse(Buffer.from(text.slice('dstack:'.length), 'base64url').toString());
    const { key, owner, resources } = value as Partial<Record<keyof Comment, unknown>>;
    const tags = (typeof owner === 'object' ? owner : null) as Record<string, unknown> | null;
    const tag = (name: string) => (typeof tags?.[name] === 'string' ? tags[name] : '');
    return {
      key: typeof key === 'string' ? key : null,
      owner: {
        ...{ server: tag('server'), project: tag('project') },
        ...{ fleet: tag('fleet'), instance: tag('instance') },
      },
      resources: Resources.safeParse(resources).data ?? null,
    };
  } catch {
    // A person's own text that only begins like ours.
    return null;
  }
}

export interface BatchOrder {
  readonly name: string;
  readonly comment: string;
  readonly offer: Offer;
  readonly nodes: number;
  readonly settings: SlurmSettings | null;
  /** Path of the log on the cluster. */
  readonly log: string;
}

/** Arguments of `sbatch`, before those of the user's own. */
export function batchArguments(order: BatchOrder): readonly string[] {
  const { cpus, memory_mib: memory, gpus } = order.offer.instance.resources;
  const { settings } = order;
  const optional = (name: string, value: string | null | undefined): readonly string[] =>
    value ? [`--${name}=${value}`] : [];
  const partitions = settings?.partition ?? order.offer.availability_zones?.join(',');
  return [
    ...['sbatch', '--parsable', '--no-requeue'],
    ...[`--job-name=${order.name}`, `--comment=${order.comment}`],
    ...[`--output=${order.log}`, '--open-mode=append', '--export=NIL'],
    ...[`--nodes=${order.nodes}`, '--ntasks-per-node=1'],
    ...[`--cpus-per-task=${cpus}`, `--mem=${memory}M`],
    ...(gpus.length > 0 ? [`--gres=gpu:${gpus.length}`] : []),
    ...optional('partition', partitions),
    ...optional('account', settings?.account),
    ...optional('qos', settings?.qos),
    ...optional('time', settings?.time_limit),
    ...optional('constraint', settings?.constraint),
    ...optional('reservation', settings?.reservation),
    ...Object.entries(settings?.options ?? {}).map(([name, value]) =>
      value ? `--${name}=${value}` : `--${name}`,
    ),
  ];
}

/** How the container of a job is started on a cluster. */
export type ContainerTool = 'pyxis' | 'apptainer';

export interface ScriptInput {
  readonly tool: ContainerTool;
  /** Of the job, with its registry. */
  readonly image: string;
  /** Folder of the programs on the cluster, mounted at `PROGRAMS`. */
  readonly programs: string;
  /** The private folder of the job on the cluster, mounted at `JOB`. */
  readonly folder: string;
  readonly cpus: number;
  readonly hasGpus: boolean;
  /** The command of the agent inside, and how it starts Node there. */
  readonly agent: readonly string[];
  readonly node: string;
}

export const PROGRAMS = '/run/dstack-programs';
export const JOB = '/run/dstack-job';

export function batchScript(input: ScriptInput): string {
  const { tool, node, cpus, hasGpus } = input;
  const srun = [
    // Without it, `srun` would export as little as `sbatch`.
    ...['srun', '--export=ALL', '--kill-on-bad-exit=1', `--cpus-per-task=${cpus}`],
    ...(tool === 'pyxis' ? pyxisOptions(input) : apptainerCommand(input)),
    ...input.agent,
  ];
  return [
    '#!/bin/sh',
    'cd / && umask 077',
    `export DSTACK_AGENT_NODE=${shellQuote(node)}`,
    // The image's value may show a job without GPUs those of other jobs.
    ...(hasGpus ? [] : ['export NVIDIA_VISIBLE_DEVICES=void']),
    `exec ${shellJoin(srun)}`,
    '',
  ].join('\n');
}

function pyxisOptions({ image, programs, folder, hasGpus }: ScriptInput): readonly string[] {
  return [
    `--container-image=${pyxisImage(image)}`,
    `--container-mounts=${programs}:${PROGRAMS}:ro,${folder}:${JOB}`,
    ...['--container-remap-root', '--container-writable', '--no-container-mount-home'],
    ...(hasGpus ? [] : ['--container-env=NVIDIA_VISIBLE_DEVICES']),
  ];
}

/** enroot writes the registry as `registry#repository:tag`. */
export function pyxisImage(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === 'localhost';
  return isRegistry ? `${first}#${image.slice(slash + 1)}` : image;
}

function apptainerCommand({ image, programs, folder, hasGpus }: ScriptInput): readonly string[] {
  return [
    ...['apptainer', 'exec', '--writable-tmpfs', '--no-home', '--containall', '--fakeroot'],
    ...(hasGpus ? ['--nv'] : []),
    ...['--bind', `${programs}:${PROGRAMS}:ro,${folder}:${JOB}`, `docker://${image}`],
  ];
}
