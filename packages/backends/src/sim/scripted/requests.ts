import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AgentInfo, JobSpecForAgent, parseMessage, StopJob } from '@dstack/contract/agent';
import type { JobScript, ScriptedJobs } from './scripted-jobs.ts';

/** The default time that a job runs. */
const DEFAULT_SECONDS = 1;

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const UNKNOWN: Answer = { status: 404, body: { code: 'unknown_job', message: 'Unknown job' } };
const DONE: Answer = { status: 204 };

/** The commands of the agent protocol, for scripted jobs. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { jobs, info }: { readonly jobs: ScriptedJobs; readonly info: AgentInfo },
): Promise<void> {
  const body = await textOf(request);
  const { status, body: answer } = route(request, body, jobs, info);
  if (answer === undefined) response.writeHead(status).end();
  else {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  }
}

function route(
  { method = '', url = '' }: IncomingMessage,
  body: string,
  jobs: ScriptedJobs,
  info: AgentInfo,
): Answer {
  const [, kind = '', id = '', part = ''] = url.split('/').slice(1);
  switch ([method, kind, ...(id ? [':id'] : []), ...(part ? [part] : [])].join(' ')) {
    case 'GET info':
      return { status: 200, body: info };
    case 'PUT jobs :id': {
      const missing = { archives: [], code: false };
      return { status: 200, body: { state: jobs.put(scriptOf(body)), missing } };
    }
    case 'POST jobs :id start':
      return stateAnswer(jobs.start(id));
    case 'POST jobs :id stop':
      return stateAnswer(jobs.stop(id, parseMessage(StopJob, JSON.parse(body))));
    case 'GET jobs :id':
      return stateAnswer(jobs.state(id));
    case 'DELETE jobs :id': {
      if (jobs.state(id) === null) return UNKNOWN;
      if (jobs.remove(id) === 'removed') return DONE;
      return { status: 409, body: { code: 'job_alive', message: 'The job is running' } };
    }
    case 'PUT jobs :id archives':
    case 'PUT jobs :id code':
    case 'PUT keys':
    case 'PUT images':
      return DONE;
    default:
      return { status: 404, body: { code: 'not_found', message: 'There is nothing here' } };
  }
}

function stateAnswer(state: object | null): Answer {
  return state === null ? UNKNOWN : { status: 200, body: state };
}

function scriptOf(body: string): JobScript {
  const { id, run_name: runName, hold, env } = parseMessage(JobSpecForAgent, JSON.parse(body));
  const { SIM_SECONDS: seconds = String(DEFAULT_SECONDS), SIM_EXIT_STATUS: status = '0' } = env;
  return {
    ...{ id, runName, hold, status: Number(status) },
    seconds: seconds === 'never' ? null : Number(seconds),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}
