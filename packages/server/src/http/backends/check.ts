/** Checks the credentials and permissions of a project's backends with their own APIs. */
import { type Backend, type CheckResult, CredentialsError } from '@dstack/backends';
import { errorMessage } from '@dstack/contract/error-message';
import type { BackendCheck } from '@dstack/contract/wire';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/** A person waits for the answer. */
const LIMIT_MS = 15_000;

/** All at once: one that does not answer delays no other. */
export async function checkBackends(
  { backends, log }: Pick<HttpDeps, 'backends' | 'log'>,
  project: ProjectRecord,
  limitMs = LIMIT_MS,
): Promise<BackendCheck[]> {
  const configured = await backends.of(project.id);
  return await Promise.all(
    configured.map(async (backend) => {
      const answer = await checked(backend, limitMs).catch((error: unknown) => failed(error));
      if (answer.problem !== null) {
        const about = { project: project.name, backend: backend.name, problem: answer.problem };
        log.info(about, 'a check of a backend has failed');
      }
      return { backend: backend.name, ...answer };
    }),
  );
}

type Answer = Omit<BackendCheck, 'backend'>;

async function checked(backend: Backend, ms: number): Promise<Answer> {
  if (backend.instances === null) {
    const problem = 'this server shows its offers and creates no machines there';
    return { status: 'offers_only', problem, permissions: [] };
  }
  const results = await withTimeout(() => backend.check(), {
    ms,
    onTimeout: () => {
      throw new Error(`no answer within ${ms / 1000} s`);
    },
  });
  const missing = results.filter(({ ok }) => !ok);
  return {
    status: statusOf(missing),
    problem: missing.length === 0 ? null : missing.map(texted).join('; '),
    permissions: results.map(({ name, ok, problem }) => ({ name, ok, problem })),
  };
}

function statusOf(missing: readonly CheckResult[]): BackendCheck['status'] {
  if (missing.length === 0) return 'ok';
  return missing.every(({ unanswered }) => unanswered) ? 'unreachable' : 'denied';
}

function texted({ name, problem }: { readonly name: string; readonly problem: string | null }) {
  return problem === null ? `${name} is missing` : `${name}: ${problem}`;
}

function failed(error: unknown): Answer {
  const status = error instanceof CredentialsError ? 'denied' : 'unreachable';
  return { status, problem: errorMessage(error), permissions: [] };
}
