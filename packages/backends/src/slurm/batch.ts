/** The batch job of an instance: how it is submitted, and what runs in it. */
import type { SlurmSettings } from '@dstack/contract';
import { shellJoin, shellQuote } from '@dstack/contract/shell';
import { Resources } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { ListedInstance } from '../base/instance-port.ts';
import type { OwnerTags } from '../base/owner-tags.ts';
import { apptainerCommand } from './apptainer.ts';
import { pyxisImage } from './credentials.ts';
import { AGENT_FOLDER, ENDED_FILE, PASSWORD_FILE, tunnelPatterns } from './folders.ts';
import { hostCommand } from './host-job.ts';
import { jobMemory } from './offers.ts';
import { IN_CONTAINER } from './places.ts';

export interface Comment {
  readonly key: string;
  readonly owner: OwnerTags;
  /** Resources of the ordered offer. */
  readonly resources: Resources;
}

/** Only characters that no table or file of Slurm changes. */
export function commentOf(comment: Comment): string {
  const text = JSON.stringify({ ...comment, tokens: 'node' });
  return `dstack:${Buffer.from(text).toString('base64url')}`;
}

export interface CommentFound extends Pick<ListedInstance, 'key' | 'owner'> {
  readonly resources: Resources | null;
  /** The agent of each node has a token of its own; the previous version gave one to the whole job. */
  readonly hasNodeTokens: boolean;
}

/** Null: it is not one of ours, or a person has changed it. */
export function commentFrom(text: string): CommentFound | null {
  if (!text.startsWith('dstack:')) return null;
  try {
    const value = JSON.parse(Buffer.from(text.slice('dstack:'.length), 'base64url').toString());
    type Found = Partial<Record<keyof Comment | 'tokens', unknown>>;
    const { key, owner, resources, tokens } = value as Found;
    const tags = (typeof owner === 'object' ? owner : null) as Record<string, unknown> | null;
    const tag = (name: string) => (typeof tags?.[name] === 'string' ? tags[name] : '');
    return {
      key: typeof key === 'string' ? key : null,
      owner: {
        ...{ server: tag('server'), project: tag('project') },
        ...{ fleet: tag('fleet'), instance: tag('instance') },
      },
      resources: Resources.safeParse(resources).data ?? null,
      hasNodeTokens: tokens === 'node',
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
    ...[`--cpus-per-task=${cpus}`, `--mem=${jobMemory(memory)}M`],
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
export type ContainerTool = 'pyxis' | 'apptainer' | 'none';

export interface ScriptInput {
  readonly tool: ContainerTool;
  /** Image of the job, with its registry. */
  readonly image: string;
  /** Folder of the programs on the cluster, mounted at `AgentPlaces.programs`. */
  readonly programs: string;
  /** The private folder of the job on the cluster; its `AGENT_FOLDER` is mounted at `AgentPlaces.job`. */
  readonly folder: string;
  readonly cpus: number;
  readonly hasGpus: boolean;
  /** Null: the image is pulled without. */
  readonly credentials: ScriptCredentials | null;
  /** The command of the agent inside, and how it starts Node there. */
  readonly agent: readonly string[];
  readonly node: string;
}

/** For the registry of the image. */
export interface ScriptCredentials {
  /** Private folder on the cluster, which the container does not see. */
  readonly folder: string;
  readonly user: string;
}

export function batchScript(input: ScriptInput): string {
  const { tool, node, cpus, hasGpus, credentials, folder } = input;
  const srun = [
    // Without it, `srun` would export as little as `sbatch`.
    ...['srun', '--export=ALL', '--kill-on-bad-exit=1', `--cpus-per-task=${cpus}`],
    ...containerWords(input),
    ...input.agent,
  ];
  const registry = credentials ? registryLogin(tool, credentials) : [];
  return [
    '#!/bin/sh',
    'cd / && umask 077',
    `export DSTACK_AGENT_NODE=${shellQuote(node)}`,
    // Nothing of the agent outlives its node, and syncing files of a shared home takes long.
    'export DSTACK_AGENT_SYNC=off',
    // The image's value may show a job without GPUs those of other jobs.
    ...(hasGpus ? [] : ['export NVIDIA_VISIBLE_DEVICES=void']),
    ...registry,
    ...(credentials ? [removalOnceStarted(folder, credentials.folder)] : []),
    shellJoin(srun),
    'code=$?',
    `echo "$code" > ${shellQuote(`${folder}/${ENDED_FILE}`)}`,
    ...(credentials ? [`rm -rf ${shellQuote(credentials.folder)}`] : []),
    'exit "$code"',
    '',
  ].join('\n');
}

function containerWords(input: ScriptInput): readonly string[] {
  switch (input.tool) {
    case 'pyxis':
      return pyxisOptions(input);
    case 'apptainer':
      return apptainerCommand({ ...input, folder: agentFolder(input) });
    case 'none':
      return hostCommand(input.programs, agentFolder(input));
  }
}

const agentFolder = ({ folder }: Pick<ScriptInput, 'folder'>) => `${folder}/${AGENT_FOLDER}`;

function registryLogin(tool: ContainerTool, { folder, user }: ScriptCredentials) {
  if (tool === 'pyxis') return [`export ENROOT_CONFIG_PATH=${shellQuote(folder)}`];
  return [
    `export APPTAINER_DOCKER_USERNAME=${shellQuote(user)}`,
    `APPTAINER_DOCKER_PASSWORD=$(cat ${shellQuote(`${folder}/${PASSWORD_FILE}`)})`,
    'export APPTAINER_DOCKER_PASSWORD',
  ];
}

/** Once the agents of all nodes listen, every image has been pulled. */
function removalOnceStarted(folder: string, credentials: string): string {
  return [
    '(',
    '  while sleep 1; do',
    '    listening=0',
    `    for file in ${tunnelPatterns(shellQuote(folder))}; do`,
    '      if [ -e "$file" ]; then listening=$((listening + 1)); fi',
    '    done',
    '    if [ "$listening" -ge "${SLURM_JOB_NUM_NODES:-1}" ]; then break; fi',
    '  done',
    `  rm -rf ${shellQuote(credentials)}`,
    ') &',
  ].join('\n');
}

function pyxisOptions(input: ScriptInput) {
  const { image, programs, hasGpus, credentials } = input;
  return [
    `--container-image=${pyxisImage(image, credentials?.user ?? null)}`,
    `--container-mounts=${programs}:${IN_CONTAINER.programs}:ro,${agentFolder(input)}:${IN_CONTAINER.job}`,
    ...['--container-remap-root', '--container-writable', '--no-container-mount-home'],
    ...(hasGpus ? [] : ['--container-env=NVIDIA_VISIBLE_DEVICES']),
  ];
}
