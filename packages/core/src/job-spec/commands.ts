import type { JobSpec, RunConfiguration, RunSpec } from '@dstack/contract/wire';
import { devCommands, devInstallCommands } from './dev-environment.ts';
import type { ImagePart, JobPart } from './parts.ts';
import { jobParts } from './parts.ts';
import { DOCKER_PROLOGUE, pythonPrologue } from './prologue.ts';
import { DEFAULT_JOB_SPEC_SETTINGS, type ImageConfig } from './settings.ts';
import { shellArgv, shellSplit } from './shell.ts';

export type Commands =
  | { readonly ok: true; readonly argv: string[] }
  | { readonly ok: false; readonly message: string };

/** Linux's limit for one argument of a program. */
const LONGEST_ENTRYPOINT = 128 * 1024;

/**
 * The argv of a job. Without commands the image's own entrypoint and command apply. They stay empty
 * here while the image's configuration is unknown (null); the agent completes them from the image.
 */
export function jobArgv(
  configuration: RunConfiguration,
  part: JobPart,
  runName: string,
  image: ImageConfig | null,
): Commands {
  if (configuration.entrypoint != null) {
    if (configuration.entrypoint.length > LONGEST_ENTRYPOINT) {
      return {
        ok: false,
        message: `entrypoint: at most ${LONGEST_ENTRYPOINT} characters are allowed`,
      };
    }
    const entrypoint = shellSplit(configuration.entrypoint);
    if (entrypoint === null) return { ok: false, message: 'entrypoint: a quote is not closed' };
    return { ok: true, argv: [...entrypoint, ...part.commands] };
  }
  const user = userLines(configuration, part, runName);
  if (user.length > 0) {
    const install =
      configuration.type === 'dev-environment' ? devInstallCommands(configuration) : [];
    const lines = [...prologue(part.image), ...install, ...user];
    return { ok: true, argv: shellArgv(part.image.shell, lines) };
  }
  if (image === null && part.image.kind === 'custom') return { ok: true, argv: [] };
  const argv = image ? [...image.entrypoint, ...image.cmd] : [];
  if (argv.length > 0) return { ok: true, argv };
  return {
    ok: false,
    message:
      'Nothing to run: the image has neither ENTRYPOINT nor CMD. Set `commands` or `entrypoint`',
  };
}

function prologue(image: ImagePart): readonly string[] {
  if (image.kind === 'docker') return DOCKER_PROLOGUE;
  return image.kind === 'default' ? pythonPrologue(image.python) : [];
}

function userLines(
  configuration: RunConfiguration,
  part: JobPart,
  runName: string,
): readonly string[] {
  if (configuration.type === 'dev-environment') return devCommands(configuration, runName);
  return part.commands;
}

/**
 * The user's own shell lines of a job, without the lines that only images need; used for jobs that
 * run without a container. Null if the argv does not consist of shell lines (an entrypoint, or the
 * image's own command).
 */
export function userShellCommands(runSpec: RunSpec, jobSpec: JobSpec): readonly string[] | null {
  const { configuration } = runSpec;
  if (configuration.entrypoint != null) return null;
  const parts = jobParts(configuration, jobSpec.replica_group, DEFAULT_JOB_SPEC_SETTINGS);
  const part = parts[jobSpec.job_num];
  if (!part) return null;
  const suffix = `-${jobSpec.job_num}-${jobSpec.replica_num}`;
  const name = jobSpec.job_name.endsWith(suffix)
    ? jobSpec.job_name.slice(0, -suffix.length)
    : jobSpec.job_name;
  const lines = userLines(configuration, part, name);
  return lines.length > 0 ? lines : null;
}
