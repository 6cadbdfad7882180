import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { directoryOf } from '@dstack/backends';
import type { CloneLimits, ClusterInfo, StartJob } from '@dstack/contract/agent';
import type { InstanceRecord, JobRecord, RunRecord, VolumeRecord } from '@dstack/core';
import {
  capabilitiesOf,
  configuredImage,
  fillGroupAddresses,
  fleetEnv,
  groupMemberJob,
  isGang,
  latestSubmissions,
  nodeAddress,
  routerAddressFor,
  routerGroup,
  userShellCommands,
} from '@dstack/core';
import type { Blobs, JobView, Store } from '@dstack/store';
import type { AgentClient } from '../hosts/agent-client.ts';
import { keysForAgent } from '../hosts/run-keys.ts';
import { agentJobSpec, type MountedVolume, type RepoCreds } from './agent-job-spec.ts';
import { containerJob, isJobContainer } from './container-jobs.ts';
import { type LocalJobRules, localJob } from './local-jobs.ts';
import { JobSpecError } from './named-secrets.ts';

export interface JobStarterOptions {
  readonly store: Store;
  readonly blobs: Pick<Blobs, 'get'>;
  readonly defaultRegistry: string | null;
  /** Sends the keys of all jobs of a host to its agent. */
  readonly pushKeys: (hostId: string) => void;
  readonly local: LocalJobRules;
  /** Whether `DSTACK_SERVER_OUTGOING_ALLOW` allows loopback. */
  readonly loopback: boolean;
  readonly cloneLimits: CloneLimits;
}

/**
 * Sends jobs to agents: the spec with its secrets filled in, then the uploads that the agent lacks.
 */
export class JobStarter {
  readonly #options: JobStarterOptions;

  constructor(options: JobStarterOptions) {
    this.#options = options;
  }

  async start(agent: AgentClient, view: JobView, instance: InstanceRecord, hold: boolean) {
    const { store, defaultRegistry } = this.#options;
    const { job, run } = view;
    const [project, userKeys, secrets, archives, repoCreds, fleet, volumes] = await Promise.all([
      store.projects.byId(run.projectId),
      keysForAgent(store, run),
      store.secrets.values(run.projectId),
      store.files.archivesByIds(job.spec.file_archives.map((archive) => archive.id)),
      this.#repoCreds(view),
      store.fleets.recordById(instance.fleetId),
      this.#volumes(agent, view, instance),
    ]);
    if (!project) throw new JobSpecError('the project was deleted');
    const spec = agentJobSpec({
      run,
      job,
      instance,
      secrets,
      repoCreds,
      defaultRegistry,
      hold,
      loopback: this.#options.loopback,
      cloneLimits: this.#options.cloneLimits,
      projectName: project.name,
      projectPublicKey: project.sshPublicKey,
      userKeys,
      token: await this.#token(agent, view),
      nodeKey: job.spec.ssh_key ? store.cipher.decrypt(job.spec.ssh_key.private) : null,
      archiveHashes: Object.fromEntries(archives.map((archive) => [archive.id, archive.sha256])),
      fleetEnv: fleet ? fleetEnv(fleet.spec) : {},
      routerAddress: await this.#routerAddress(view),
      shellCommands: userShellCommands(run.spec, job.spec),
      cluster: hold ? null : await this.#cluster(view),
      volumes,
    });
    const { missing } = await agent.putJob(
      containerJob(
        instance,
        localJob(
          this.#options.local,
          instance,
          spec,
          configuredImage(run.spec, job.spec.replica_group) !== null,
        ),
      ),
    );
    await this.#followKeys(run, instance, userKeys);
    for (const id of missing.archives) {
      const sha256 = archives.find((archive) => archive.id === id)?.sha256;
      await agent.uploadArchive(job.id, id, await this.#blob(sha256, `archive ${id}`));
    }
    if (missing.code) {
      await agent.uploadCode(job.id, await this.#blob(await this.#codeHash(view), 'code'));
    }
  }

  /** Agents without the feature would mount something else. */
  async #volumes(
    agent: AgentClient,
    { job }: JobView,
    instance: InstanceRecord,
  ): Promise<MountedVolume[]> {
    // The backend has mounted them when it made the container.
    if (isJobContainer(instance)) return [];
    const mounts = (job.spec.volumes ?? []).some((mount) => 'name' in mount);
    const volumes = mounts ? await this.#options.store.volumes.ofJob(job.id) : [];
    if (volumes.length === 0) return [];
    const mounted = await Promise.all(volumes.map((one) => this.#mounted(one, instance)));
    const needed = mounted.some(({ volume }) => volume.device) ? 'volume-devices' : 'volumes';
    const { features = [] } = await agent.info();
    if (!features.includes(needed)) {
      throw new JobSpecError('volumes need a newer agent on the host');
    }
    return mounted;
  }

  async #mounted(record: VolumeRecord, instance: InstanceRecord): Promise<MountedVolume> {
    const { id, name, handle, configuration } = record;
    if (handle === null) throw new JobSpecError(`volume ${name} does not exist`);
    const readOnly = 'read_only' in configuration && configuration.read_only;
    const isDirectory = capabilitiesOf(record.backend).owner !== 'provider';
    if (isDirectory) return { name, readOnly, volume: { ...directoryOf(handle), device: null } };
    const path = await this.#deviceOf(record, instance);
    return {
      name,
      readOnly,
      volume: { id, path: null, device: { path, format: !record.external } },
    };
  }

  async #deviceOf({ id, name }: VolumeRecord, instance: InstanceRecord): Promise<string> {
    const attachments = (await this.#options.store.volumes.byId(id))?.attachments ?? [];
    const attachment = attachments.find(({ instanceId }) => instanceId === instance.id);
    const device = attachment?.attachmentData?.device_name ?? null;
    if (device !== null) return device;
    throw new JobSpecError(`volume ${name} is not attached to the instance as a device`);
  }

  /** An agent without support for access to the server would start the job without it. */
  async #token(agent: AgentClient, { job, run }: JobView): Promise<string | null> {
    if (!run.spec.configuration.dstack) return null;
    const { features = [] } = await agent.info();
    if (!features.includes('server-access')) {
      throw new JobSpecError('`dstack: true` needs a newer agent on the host');
    }
    return await this.#options.store.meta.jobTokens.of(job.id);
  }

  /** Keys that changed before the agent had the job were not sent to it. */
  async #followKeys(run: RunRecord, { hostId }: InstanceRecord, sent: readonly string[]) {
    const { store, pushKeys } = this.#options;
    const now = await keysForAgent(store, run);
    if (hostId !== null && !isDeepStrictEqual(now, sent)) pushKeys(hostId);
  }

  /** The engine starts the job only when it is known. */
  async #routerAddress({ run, job }: JobView): Promise<string | null> {
    if (routerGroup(run.spec.configuration) === null) return null;
    const latest = latestSubmissions(await this.#options.store.jobs.ofRun(run.id));
    const router = routerAddressFor(run, job, latest);
    return router.kind === 'known' ? router.address : null;
  }

  /** All facts that the job was held for are known now. */
  async release(agent: AgentClient, view: JobView): Promise<void> {
    await agent.startJob(view.job.id, {
      cluster: await this.#cluster(view),
      ...(await this.#commands(view)),
    });
  }

  /** Commands with the addresses that they mention. */
  async #commands({ run, job }: JobView): Promise<Pick<StartJob, 'commands' | 'shell_commands'>> {
    const latest = latestSubmissions(await this.#options.store.jobs.ofRun(job.runId));
    const fill = (commands: readonly string[]): string[] =>
      fillGroupAddresses(commands, (member) => {
        const meant = groupMemberJob(run, job, latest, member);
        const address = meant && nodeAddress(meant);
        if (address) return address;
        const { group, index } = member;
        throw new JobSpecError(`node ${index} of group ${group} has no address any more`);
      });
    const lines = userShellCommands(run.spec, job.spec);
    return { commands: fill(job.spec.commands), shell_commands: lines && fill(lines) };
  }

  async #cluster(view: JobView): Promise<ClusterInfo> {
    const { job } = view;
    const siblings = isGang(job) ? await this.#siblings(job) : [job];
    const ips = siblings.map(addressAmongNodes);
    const gpus = siblings.map((other) => gpuCount(other.runtimeData?.offer ?? null));
    return {
      job_ips: ips,
      master_job_ip: ips[0] ?? '',
      gpus_per_job: gpuCount(job.runtimeData?.offer ?? null),
      gpus_per_node: gpus,
      host_keys: await Promise.all(siblings.map((other) => this.#hostKey(other))),
    };
  }

  /** The nodes of the job's replica, of the same submission. */
  async #siblings(job: JobRecord): Promise<JobRecord[]> {
    return (await this.#options.store.jobs.ofRun(job.runId))
      .filter((other) => other.replicaNum === job.replicaNum)
      .filter((other) => other.submissionNum === job.submissionNum)
      .sort((a, b) => a.jobNum - b.jobNum);
  }

  async #hostKey({ instanceId }: JobRecord): Promise<string | null> {
    if (instanceId === null) return null;
    const view = await this.#options.store.instances.byId(instanceId);
    return view?.instance.hostFacts?.ssh_host_key ?? null;
  }

  async #repoCreds({ run }: JobView): Promise<RepoCreds | null> {
    if (run.spec.repo_data?.repo_type !== 'remote' || !run.spec.repo_id) return null;
    const { repos } = this.#options.store;
    const repo = await repos.byRepoId(run.projectId, run.spec.repo_id);
    if (!repo) return null;
    const creds =
      (await repos.credentials(repo.id, run.userId)) ?? (await repos.credentials(repo.id, null));
    return (
      creds && {
        clone_url: creds.clone_url,
        private_key: creds.private_key ?? null,
        oauth_token: creds.oauth_token ?? null,
      }
    );
  }

  async #codeHash({ run, job }: JobView): Promise<string | undefined> {
    const { repos } = this.#options.store;
    const repo = await repos.byRepoId(run.projectId, run.spec.repo_id ?? '');
    const hash = job.spec.repo_code_hash;
    return repo && hash ? (await repos.code(repo.id, hash))?.sha256 : undefined;
  }

  async #blob(sha256: string | undefined, what: string) {
    const content = sha256 && (await this.#options.blobs.get(sha256));
    if (!content) throw new JobSpecError(`the uploaded ${what} is not there any more`);
    return Readable.from([content]);
  }
}

/** A single job needs no addresses; the host's name is not an address inside of it. */
function addressAmongNodes(job: JobRecord): string {
  return (isGang(job) ? nodeAddress(job) : job.provisioningData?.internal_ip) ?? '';
}

function gpuCount(offer: { instance: { resources: { gpus: readonly unknown[] } } } | null): number {
  return offer?.instance.resources.gpus.length ?? 0;
}
