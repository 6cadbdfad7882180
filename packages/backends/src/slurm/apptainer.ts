/**
 * Containers by Apptainer. Its container has a clean environment, so that it does not contain the
 * password of the registry; what the agent needs of it is passed by name.
 */
import { IN_CONTAINER } from './places.ts';

export interface ApptainerInput {
  readonly image: string;
  readonly programs: string;
  readonly folder: string;
  readonly hasGpus: boolean;
}

/** Words before the command of the agent. */
export function apptainerCommand(input: ApptainerInput): readonly string[] {
  const { image, programs, folder, hasGpus } = input;
  return [
    ...['sh', '-c', PASSING, 'sh'],
    ...['apptainer', 'exec', '--writable-tmpfs', '--no-home', '--containall', '--fakeroot'],
    ...(hasGpus ? ['--nv'] : []),
    '--bind',
    `${programs}:${IN_CONTAINER.programs}:ro,${folder}:${IN_CONTAINER.job}`,
    `docker://${image}`,
  ];
}

/** Slurm sets variables of each node and task, such as the number of the node: only there they are known. */
const PASSED = '[A-Z]*_VISIBLE_DEVICES|SLURM_[A-Z0-9_]*|DSTACK_AGENT_[A-Z]*';
const PASSING = [
  `for name in $(env | sed -nE 's/^(${PASSED})=.*/\\1/p'); do`,
  '  eval "export APPTAINERENV_$name=\\"\\$$name\\""',
  'done',
  // Else a shell in the container would evaluate the values. Old versions of Apptainer ignore it.
  'export APPTAINER_NO_EVAL=1',
  'exec "$@"',
].join('\n');
