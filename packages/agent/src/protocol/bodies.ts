import type { ImagePlan, JobSpecForAgent, StartJob, StopJob } from '@dstack/contract/agent';
import { AgentError } from './agent-error.ts';

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const whole: Check = (value) => Number.isInteger(value) && Number(value) >= 0;
const amount: Check = (value) => typeof value === 'number' && value >= 0;
const texts: Check = (value) => Array.isArray(value) && value.every(text);
const wholes: Check = (value) => Array.isArray(value) && value.every(whole);
const object: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objects: Check = (value) => Array.isArray(value) && value.every(object);
const textMap: Check = (value) => object(value) && Object.values(value as object).every(text);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || value === undefined || check(value);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Archive ids become file names. */
const SAFE_NAME = /^[A-Za-z0-9_-]{1,128}$/;

const SPEC: Readonly<Record<keyof JobSpecForAgent, Check>> = {
  id: (value) => typeof value === 'string' && UUID.test(value),
  run_id: text,
  run_name: text,
  job_name: text,
  project_name: text,
  repo_id: orNull(text),
  job_num: whole,
  replica_num: whole,
  jobs_per_replica: whole,
  image_name: text,
  registry_auth: orNull(object),
  privileged: flag,
  user: orNull(object),
  commands: texts,
  shell_commands: orNull(texts),
  env: textMap,
  working_dir: orNull(text),
  network_mode: (value) => value === 'host' || value === 'bridge',
  cpu_limit: orNull(amount),
  memory_limit_bytes: orNull(whole),
  shm_size_bytes: orNull(whole),
  gpus: orNull(whole),
  mounts: objects,
  ports: wholes,
  repo: orNull(object),
  file_archives: objects,
  authorized_keys: object,
  job_private_key: orNull(text),
  max_duration: orNull(amount),
  stop_duration: orNull(amount),
  stop_duration_set: flag,
  masked_values: texts,
  hold: flag,
  cluster: orNull(object),
};

/** Throws `AgentError` `bad_request` that names the field. */
export function parseJobSpec(body: unknown, id: string): JobSpecForAgent {
  const spec = checked<JobSpecForAgent>(body, SPEC);
  if (spec.id !== id) throw bad('id', 'differs from the one in the path');
  for (const archive of spec.file_archives) {
    if (!text(archive.id) || !SAFE_NAME.test(archive.id)) throw bad('file_archives', 'bad id');
  }
  return spec;
}

export function parseStart(body: unknown): StartJob {
  return checked<StartJob>(body, {
    cluster: object,
    commands: orNull(texts),
    shell_commands: orNull(texts),
  });
}

export function parseStop(body: unknown): StopJob {
  return checked<StopJob>(body, { grace: flag, reason: text, message: orNull(text) });
}

export function parseImagePlan(body: unknown): ImagePlan {
  const plan = checked<ImagePlan>(body, { wanted: objects, policy: object });
  const policy = checked<ImagePlan['policy']>(plan.policy, {
    disk_high_percent: orNull(amount),
    unused_for: orNull(amount),
  });
  const wanted = plan.wanted.map((image) =>
    checked<ImagePlan['wanted'][number]>(image, { image: text, auth: orNull(object) }),
  );
  return { wanted, policy };
}

/** Fields that may be null may also be left out: an older server does not know newer ones. */
function checked<T>(body: unknown, fields: Readonly<Record<keyof T & string, Check>>): T {
  if (!object(body)) throw bad('body', 'is not an object');
  const given = body as Readonly<Record<string, unknown>>;
  const out: Record<string, unknown> = {};
  for (const [name, check] of Object.entries<Check>(fields)) {
    if (!check(given[name])) throw bad(name, 'is missing or of the wrong type');
    out[name] = given[name] ?? null;
  }
  return out as T;
}

function bad(field: string, problem: string): AgentError {
  return new AgentError(400, 'bad_request', `Field ${field} ${problem}`);
}
