import type Docker from 'dockerode';
import type { ResolvedUser } from '../executor/accounts.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import type { ImageFacts } from './image-facts.ts';

/** A job as it is about to be made into a container. */
export interface ContainerJob {
  readonly job: ExecutorJob;
  readonly image: ImageFacts;
  readonly user: ResolvedUser;
  readonly workingDir: string;
  readonly repoDir: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Whether the working directory is not in the image, so that it must be given to the user. */
  readonly madeWorkingDir: boolean;
}

/**
 * Puts everything that a job brings along into its container, which must not have been started.
 * Throws `JobFailure`.
 */
export type PlaceInContainer = (
  container: Docker.Container,
  planned: ContainerJob,
  signal: AbortSignal,
) => Promise<void>;
