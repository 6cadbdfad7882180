import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JobSpecForAgent, JobState } from '@dstack/contract/agent';
import { canMakeNamespaces } from '../process/isolation/namespace.ts';
import { AgentHarness, jobSpec } from './agent-harness.ts';
import type { TestStream } from './test-stream.ts';
import { freeUids } from './test-uids.ts';

/** Whether this process may give jobs their own users. */
export const canIsolate = process.getuid?.() === 0 && canMakeNamespaces();
if (!canIsolate) console.warn('The isolation of process jobs is NOT tested: it needs root');

export interface RunJob {
  readonly spec: JobSpecForAgent;
  readonly state: JobState;
  readonly text: string;
}

/** An agent whose process jobs have their own users. */
export class IsolatedJobs {
  /** A folder that jobs share. */
  readonly base = mkdtempSync('/var/lib/dstack-test-');
  readonly homes = join(this.base, 'server');
  /** The user of the first job. */
  readonly first: number;
  readonly agent: AgentHarness;
  #stream: TestStream | null = null;

  private constructor(count: number, env: NodeJS.ProcessEnv) {
    const { first, last } = freeUids(count);
    this.first = first;
    const users = ['--job-uids', `${first}-${last}`, '--job-homes', this.homes];
    this.agent = new AgentHarness(['--executor', 'process', ...users], env);
  }

  /** The number of user ids that the agent may assign, and additions to its environment. */
  static async start(count = 20, env: NodeJS.ProcessEnv = {}): Promise<IsolatedJobs> {
    const jobs = new IsolatedJobs(count, env);
    await jobs.agent.start();
    await jobs.connect();
    return jobs;
  }

  get stream(): TestStream {
    if (!this.#stream) throw new Error('there is no stream yet');
    return this.#stream;
  }

  async connect(): Promise<void> {
    await this.#stream?.close();
    this.#stream = await this.agent.connect();
  }

  async restartAfterKill(): Promise<void> {
    this.#stream = await this.agent.restartAfterKill(this.stream);
  }

  /** Runs a job until its end. */
  async run(lines: readonly string[], more: Partial<JobSpecForAgent> = {}): Promise<RunJob> {
    const spec = jobSpec(lines, more);
    await this.agent.put(spec);
    const { state, text } = await this.stream.whole(spec.id);
    return { spec, state, text: text.replaceAll('\r\n', '\n') };
  }

  /** Starts a job that lives until it is stopped, unless its lines end it. */
  async begin(
    lines: readonly string[] = ['echo ready', 'sleep 100000'],
    more: Partial<JobSpecForAgent> = {},
  ): Promise<JobSpecForAgent> {
    const spec = jobSpec(lines, more);
    await this.agent.put(spec);
    await this.stream.until(() => this.stream.text(spec.id).includes('ready'));
    return spec;
  }

  async stopAndRemove(id: string): Promise<void> {
    await this.agent.stop(id, false);
    await this.stream.whole(id);
    await this.agent.call('DELETE', `/v1/jobs/${id}`);
  }

  async close(): Promise<void> {
    await this.#stream?.close();
    await this.agent.dispose();
    rmSync(this.base, { recursive: true });
  }
}
