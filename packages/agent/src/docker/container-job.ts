import type Docker from 'dockerode';
import type { ResolvedUser } from '../executor/accounts.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import type { ImageFacts } from './image-facts.ts';

/** A job whose container is about to be created. */
export interface ContainerJob {
  readonly job: ExecutorJob;
  readonly image: ImageFacts;
  readonly user: ResolvedUser;
  readonly workingDir: string;
  readonly repoDir: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Whether the image lacks the working directory, so that it must be created for the user. */
  readonly madeWorkingDir: boolean;
}

/**
 * Puts the job's files into its container, which must not have been started. Throws `JobFailure`.
 */
export type PlaceInContainer = (
  container: Docker.Container,
  planned: ContainerJob,
  signal: AbortSignal,
) => Promise<void>;
