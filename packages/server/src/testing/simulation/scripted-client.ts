import type {
  AgentInfo,
  JobSpecForAgent,
  JobState,
  NoticeJob,
  PutJobAnswer,
  PutVolume,
  StopJob,
  VolumePlace,
  VolumeRemoval,
  VolumeState,
} from '@dstack/contract/agent';
import { AgentClient } from '../../hosts/agent-client.ts';
import type { SimHost } from './sim-hosts.ts';

/** Commands to a scripted agent, in place of those over a socket. */
export class ScriptedClient extends AgentClient {
  readonly #host: SimHost;

  constructor(host: SimHost) {
    super({ dial: () => Promise.reject(new Error('there is no socket')) as never, token: '' });
    this.#host = host;
  }

  override putJob(spec: JobSpecForAgent): Promise<PutJobAnswer> {
    return this.#host.command(() => this.#host.jobs.put(spec));
  }

  override startJob(id: string): Promise<JobState> {
    return this.#host.command(() => this.#host.jobs.start(id));
  }

  override stopJob(id: string, order: StopJob): Promise<JobState> {
    return this.#host.command(() => this.#host.jobs.stop(id, order));
  }

  override noticeJob(id: string, order: NoticeJob): Promise<JobState> {
    return this.#host.command(() => this.#host.jobs.notice(id, order));
  }

  override withdrawNotice(id: string): Promise<JobState> {
    return this.#host.command(() => this.#host.jobs.withdrawNotice(id));
  }

  override deleteJob(id: string): Promise<void> {
    return this.#host.command(() => this.#host.jobs.remove(id));
  }

  override info(): Promise<AgentInfo> {
    return this.#host.command(() => this.#host.info);
  }

  override putVolume(id: string, body: PutVolume): Promise<void> {
    return this.#host.command(() => this.#host.putVolume(id, body));
  }

  override volumeState(id: string, place: VolumePlace): Promise<VolumeState> {
    return this.#host.command(() => this.#host.volumeState(id, place));
  }

  override deleteVolume(id: string, place: VolumePlace): Promise<VolumeRemoval> {
    return this.#host.command(() => this.#host.deleteVolume(id, place));
  }

  override unmountVolume(id: string): Promise<void> {
    return this.#host.command(() => this.#host.unmountVolume(id));
  }
}
