/**
 * `dstack apply` of the run whose calls were recorded, against a server with the recorded answers.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@dstack/contract/wire';
import type { FakeServer, Route } from './fake-server.ts';
import { recordedAnswer, recording } from './recordings.ts';
import {
  type RunOptions,
  type RunResult,
  runCommand,
  serverEnv,
  withDirectory,
} from './run-command.ts';

export const BASE = '/api/project/main';

/** The configuration of the recorded run. */
export const TASK = `type: task
name: cdd080
image: ref/base:1
commands:
  - echo started
  - sleep 600
resources:
  cpu: 1..
  memory: 0.1GB..
  disk: 1GB..
`;

/** Every path repeats its first answer. */
export async function recordedRoutes(name: string): Promise<Record<string, Route>> {
  const routes: Record<string, Route> = {};
  for (const call of await recording(name)) {
    routes[`${call.method} ${call.path}`] ??= { status: call.status, json: call.response };
  }
  return routes;
}

/** Applies `yaml`, written as `t.dstack.yml` into a directory of its own. */
export function apply(
  yaml: string,
  argv: readonly string[],
  fake: FakeServer,
  options: RunOptions = {},
): Promise<RunResult> {
  return withDirectory(async (cwd) => {
    await writeFile(join(cwd, 't.dstack.yml'), yaml);
    const env = { ...serverEnv(fake.url), ...options.env };
    return runCommand(['apply', '-f', 't.dstack.yml', ...argv], {
      ...options,
      env,
      cwd,
      home: cwd,
    });
  });
}

/** The run in the state of an attached client, without an address to connect to. */
export async function attachedRun(): Promise<Run> {
  const run = await recordedAnswer<Run>('run-get-failed', `${BASE}/runs/get`);
  run.run_spec.run_name = 'cdd080';
  const job = run.jobs[0];
  if (job) job.job_connection_info = null;
  return run;
}

/** The same with another status; `job` and `message` are those of its newest job. */
export function withStatus(run: Run, status: Run['status'], job: string, message: string): Run {
  const copy = structuredClone(run);
  copy.status = status;
  const submission = copy.jobs[0]?.job_submissions.at(-1);
  if (submission) Object.assign(submission, { status: job, status_message: message, error: null });
  return copy;
}
