import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JobSpecForAgent } from '@dstack/contract/agent';
import { startDocker, type TestDocker } from '@dstack/testkit/docker';
import { AgentHarness, jobSpec } from './agent-harness.ts';
import { SshClient } from './ssh-client.ts';
import type { TestStream } from './test-stream.ts';
import { freeUids } from './test-uids.ts';

/** `confined`: processes, each job with its own user; needs root. */
export const JOB_KINDS = ['process', 'confined', 'docker'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export interface SshJobsOptions {
  readonly kind: JobKind;
  /** Makes the images of jobs in containers; that of busybox by default. */
  readonly prepare?: (engine: TestDocker) => Promise<void>;
  /** A prefix of the agent's command. */
  readonly around?: readonly string[];
}

/**
 * An agent with lasting jobs, with a Docker daemon if they are containers, and an OpenSSH client.
 */
export class SshJobs {
  readonly client = new SshClient();
  readonly #kind: JobKind;
  /** Where jobs with their own users have their files. */
  #homes: string | null = null;
  #engine: TestDocker | null = null;
  #agent: AgentHarness | null = null;
  #stream: TestStream | null = null;

  private constructor(kind: JobKind) {
    this.#kind = kind;
  }

  static async start(options: SshJobsOptions): Promise<SshJobs> {
    const jobs = new SshJobs(options.kind);
    try {
      await jobs.#start(options);
      return jobs;
    } catch (error) {
      await jobs.close();
      throw error;
    }
  }

  /** Null if jobs are processes. */
  get engine(): TestDocker | null {
    return this.#engine;
  }

  get agent(): AgentHarness {
    if (!this.#agent) throw new Error('the agent was not started');
    return this.#agent;
  }

  get stream(): TestStream {
    if (!this.#stream) throw new Error('the agent was not started');
    return this.#stream;
  }

  /** Runs a job until the test ends it, and points the client to it. */
  async begin(more: Partial<JobSpecForAgent> = {}): Promise<JobSpecForAgent> {
    const command =
      this.#kind === 'docker'
        ? { shell_commands: null, commands: ['/bin/sh', '-c', 'sleep 100000'] }
        : { shell_commands: ['sleep 100000'] };
    const spec = jobSpec([], { authorized_keys: this.client.keys, ...command, ...more });
    await this.agent.put(spec);
    const state = await this.stream.until(() => {
      const last = this.stream.state(spec.id);
      return last?.phase === 'running' || last?.phase === 'exited' ? last : null;
    });
    this.client.port = state.ssh_port ?? 0;
    return spec;
  }

  async close(): Promise<void> {
    await this.#stream?.close();
    await this.#agent?.dispose();
    await this.#engine?.close();
    this.client.close();
    if (this.#homes) rmSync(this.#homes, { recursive: true });
  }

  #agentArgs(kind: JobKind): string[] {
    if (kind !== 'confined') return ['--executor', kind];
    // A folder that such jobs share.
    this.#homes = mkdtempSync('/var/lib/dstack-test-');
    const { first, last } = freeUids(100);
    const homes = join(this.#homes, 'server');
    return ['--executor', 'process', '--job-uids', `${first}-${last}`, '--job-homes', homes];
  }

  async #start({ kind, prepare, around }: SshJobsOptions): Promise<void> {
    if (kind === 'docker') {
      this.#engine = await startDocker();
      if (prepare) await prepare(this.#engine);
      else await this.#engine.busybox('busybox:test');
    }
    const env = this.#engine ? { DOCKER_HOST: this.#engine.host } : {};
    this.#agent = new AgentHarness(this.#agentArgs(kind), env, undefined, around);
    await this.#agent.start();
    this.#stream = await this.#agent.connect();
  }
}
