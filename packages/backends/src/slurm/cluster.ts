/** One cluster of a Slurm backend. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RegistryAuth } from '@dstack/contract';
import { DIAL_OUT_PATH } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { shellJoin, shellQuote } from '@dstack/contract/shell';
import type { PriceRates, Resources } from '@dstack/contract/wire';
import { type PartitionQos, ratedPrice } from '@dstack/core';
import { agentToken } from '../base/agent-token.ts';
import { BackendError, NoCapacityError, RefusedOrderError } from '../base/errors.ts';
import type { OnPreparing } from '../base/instance-port.ts';
import { KeptAnswer } from '../base/kept-answer.ts';
import { secured } from '../base/secured.ts';
import { agentInstance } from './agent-instance.ts';
import { agentProgram, type ClusterPrograms } from './agent-program.ts';
import { batchArguments, batchScript, type CommentFound, type ContainerTool } from './batch.ts';
import { cancelScript, LEFT, removed } from './cancel.ts';
import { enrootCredentials } from './credentials.ts';
import {
  AGENT_FOLDER,
  credentialsFolderOf,
  ENDED_FILE,
  ENROOT_FILE,
  folderOf,
  LOG_FILE,
  PASSWORD_FILE,
  TOKEN_FILE,
} from './folders.ts';
import type { NodePlace } from './handles.ts';
import { JobTable } from './job-table.ts';
import { type LoginConnection, LoginNode } from './login.ts';
import type { ScriptOutput } from './login-shells.ts';
import { parseNodes, type SlurmNode } from './node.ts';
import { parsePartitionQos } from './partition-qos.ts';
import { type PartitionMap, partitionMap, type SlurmClusterConfig } from './partitions.ts';
import { IN_CONTAINER, ON_HOST } from './places.ts';
import { QueueWatch } from './queue-watch.ts';
import { refusedSetting } from './refusals.ts';

export interface ClusterDeps {
  readonly serverId: string;
  /** The agents' tokens are derived from it. */
  readonly secret: string;
  /** The connection to the login node, opened again after it broke. */
  readonly connect: (cluster: SlurmClusterConfig) => Promise<LoginConnection>;
  /** Copies the agent to the cluster, unless it is there. `isLost`: it was removed since it was copied. */
  readonly deliver: (
    cluster: SlurmClusterConfig,
    delivery: { readonly report: OnPreparing; readonly isLost?: boolean },
  ) => Promise<ClusterPrograms>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether jobs may do without a container. */
  readonly hostJobs: boolean;
  /** Null, or omitted: what the nodes cost is not known. */
  readonly rates?: PriceRates | null;
  /** Null: agents open no connections to the server. */
  readonly dialOut: DialOut | null;
}

/** Connections that agents open to the server. */
export interface DialOut {
  /** URL of the server, as compute nodes reach it: `ws:` or `wss:`, without a slash at its end. */
  readonly url: string;
  /** The connection of an agent, secured; null = none within the time. */
  readonly take: (name: string, rank: number, limitMs: number) => Promise<Duplex | null>;
}

/** Nodes change by the second, and a plan asks for them several times. */
const NODES_MS = 2000;
/** Limits of partitions are part of the configuration of a cluster. */
const LIMITS_MS = 60_000;
const SUBMIT_MS = 40_000;
/** Exit code of the script that submits a job: `sbatch` has smaller ones. */
const AGENT_LOST = 117;
/** An agent connects when it listens, and again within seconds after a connection has ended. */
const DIALLED_MS = 5000;
/** Bytes that are read from the end of a batch job's output. */
const TAIL = 1500;

export interface BatchSubmission {
  readonly name: string;
  readonly arguments: Omit<Parameters<typeof batchArguments>[0], 'name' | 'log'>;
  /** Null: the job runs on the node itself. */
  readonly image: string | null;
  readonly registryAuth: RegistryAuth | null;
  readonly onPreparing: OnPreparing;
}

export class SlurmCluster {
  readonly config: SlurmClusterConfig;
  readonly map: PartitionMap;
  readonly login: LoginNode;
  readonly jobs: JobTable;
  readonly queue: QueueWatch;
  readonly hostJobs: boolean;
  readonly #deps: ClusterDeps;
  readonly #submitting = new Map<string, Promise<void>>();
  readonly #nodes: KeptAnswer<readonly SlurmNode[]>;
  readonly #limits: KeptAnswer<ReadonlyMap<string, PartitionQos>>;
  #tool: Promise<ContainerTool> | null = null;
  readonly #addresses = new Map<string, string>();
  #homeAsked: Promise<string> | null = null;

  constructor(config: SlurmClusterConfig, deps: ClusterDeps) {
    this.config = config;
    this.map = partitionMap(config);
    this.login = new LoginNode(config.name, () => deps.connect(config));
    this.jobs = new JobTable(this.login);
    const { login, jobs } = this;
    const { serverId, now } = deps;
    this.queue = new QueueWatch({ cluster: config.name, serverId, login, jobs, now });
    this.#deps = deps;
    const show = async (...what: readonly string[]) =>
      await login.output(['scontrol', 'show', ...what, '--oneliner']);
    this.#nodes = new KeptAnswer(NODES_MS, now, async () =>
      parseNodes(await show('node', '--detail')),
    );
    this.#limits = new KeptAnswer(LIMITS_MS, now, async () =>
      parsePartitionQos(await show('partition')),
    );
    this.hostJobs = deps.hostJobs;
  }

  /** USD per hour of these parts of a node; 0 = it is not known. */
  priceOf(resources: Resources): number {
    return ratedPrice(this.#deps.rates, resources);
  }

  async nodes(): Promise<readonly SlurmNode[]> {
    return await this.#nodes.value();
  }

  /** QoS limits of the partitions that have them. Empty if the cluster has not answered. */
  async partitionQos(): Promise<ReadonlyMap<string, PartitionQos>> {
    return await this.#limits.value().catch(() => new Map());
  }

  /** Submits the job, unless one with this name is there. */
  async submit(submission: BatchSubmission): Promise<void> {
    const { name } = submission;
    const known = this.#submitting.get(name);
    if (known) return await known;
    const submitting = this.#submit(submission).finally(() => this.#submitting.delete(name));
    this.#submitting.set(name, submitting);
    await submitting;
  }

  async #submit(submission: BatchSubmission): Promise<void> {
    const { name, arguments: order, image, onPreparing: report } = submission;
    const tool = image === null ? ('none' as const) : await this.containerTool();
    let executed = await this.#executed(submission, tool, await this.#deliver({ report }));
    if (executed.code === AGENT_LOST) {
      const programs = await this.#deliver({ report, isLost: true });
      executed = await this.#executed(submission, tool, programs);
    }
    this.jobs.changed();
    if (executed.code === 0) return this.queue.onSubmitted(name);
    await this.login.script(removed(name));
    if (UNAVAILABLE.test(executed.stderr)) {
      throw new NoCapacityError(`cluster ${this.config.name}: ${executed.stderr.trim()}`);
    }
    const setting = refusedSetting(executed.stderr, order.settings);
    try {
      this.login.checked('sbatch', executed);
    } catch (error) {
      if (setting === null) throw error;
      throw new RefusedOrderError(
        `${errorMessage(error)} (correct \`${setting}\` in \`backend_settings.slurm\`)`,
      );
    }
  }

  /** The end of the script that submits the job. */
  async #executed(
    { name, arguments: order, image, registryAuth }: BatchSubmission,
    tool: ContainerTool,
    programs: ClusterPrograms,
  ): Promise<ScriptOutput> {
    const home = await this.#home();
    const { cpus, gpus } = order.offer.instance.resources;
    const { dialOut } = this.#deps;
    const folder = `${home}/.dstack/jobs/${name}`;
    const script = batchScript({
      ...{
        tool,
        image: image ?? '',
        folder,
        cpus,
        hasGpus: gpus.length > 0,
        programs: programs.dir,
      },
      credentials: registryAuth && {
        folder: `${home}/.dstack/credentials/${name}`,
        user: registryAuth.username,
      },
      ...agentProgram(programs, {
        serverId: this.#deps.serverId,
        places: image === null ? ON_HOST : IN_CONTAINER,
        dialOut:
          dialOut && `${dialOut.url}${DIAL_OUT_PATH}${agentInstance(name, '%SLURM_PROCID%')}`,
      }),
    });
    const argv = batchArguments({ ...order, name, log: `${folder}/${LOG_FILE}` });
    const files = [programs.loader, programs.node, programs.main];
    return await this.login.script(
      [
        'set -eu; umask 077',
        ...files.map(
          (file) => `[ -e ${shellQuote(`${programs.dir}/${file}`)} ] || exit ${AGENT_LOST}`,
        ),
        `folder=${folderOf(name)}; mkdir -p "$folder"`,
        // Two servers, or a server after a crash, may submit the same job.
        'if command -v flock >/dev/null 2>&1; then exec 9>"$folder/lock"; flock -w 10 9 || true; fi',
        `if [ -n "$(squeue -h -t all -u "$(id -un)" -n ${shellQuote(name)} -o %i)" ]; then exit 0; fi`,
        `agent=$folder/${AGENT_FOLDER}; rm -rf "$agent" "$folder/${ENDED_FILE}"; mkdir "$agent"`,
        ...this.#tokenFiles(name, order.nodes),
        ...(registryAuth && image ? storedCredentials(name, image, registryAuth) : []),
        `printf '%s' ${shellQuote(script)} | ${shellJoin(argv)}`,
      ].join('\n'),
      SUBMIT_MS,
    );
  }

  /** Without the agent, no other offer of the cluster can be had either. */
  async #deliver(delivery: Parameters<ClusterDeps['deliver']>[1]): Promise<ClusterPrograms> {
    try {
      return await this.#deps.deliver(this.config, delivery);
    } catch (error) {
      if (error instanceof BackendError) throw error;
      const text = `cluster ${this.config.name}: ${errorMessage(error)}`;
      throw new RefusedOrderError(text, { cause: error });
    }
  }

  /** Token of the agent of a node. Agents of a job that the previous version submitted share one token. */
  token({ name, rank }: NodePlace, { hasNodeTokens }: Pick<CommentFound, 'hasNodeTokens'>): string {
    return agentToken(this.#deps.secret, hasNodeTokens ? agentInstance(name, rank) : name);
  }

  #tokenFiles(name: string, nodes: number): string[] {
    return Array.from({ length: nodes }, (_, rank) => {
      const token = agentToken(this.#deps.secret, agentInstance(name, rank));
      return `printf '%s' ${token} > "$agent/${TOKEN_FILE}.${rank}"`;
    });
  }

  /** A secured connection to an agent: its own, or else one through the login node. */
  async connect({ name, rank }: NodePlace, token: string): Promise<Duplex> {
    const dialled = await this.#deps.dialOut?.take(name, rank, DIALLED_MS);
    if (dialled) return dialled;
    const { tunnels } = await this.jobs.viewOf(name);
    const address = tunnels.get(name)?.get(rank);
    if (!address) throw new BackendError(`the agent of job ${name} does not listen`);
    return await secured(await this.login.forward(address), token);
  }

  /** The end of what the batch job printed; empty if there is none. */
  async tail(name: string): Promise<string> {
    const { code, stdout } = await this.login.script(
      `tail -c ${TAIL} ${folderOf(name)}/${LOG_FILE} 2>/dev/null`,
    );
    return code === 0 ? lastLines(stdout) : '';
  }

  /** True: it has ended, and its folder is removed. */
  async cancel(name: string): Promise<boolean> {
    const executed = await this.login.script(cancelScript(name));
    this.jobs.changed();
    return this.login.checked('scancel', executed).trim() !== LEFT;
  }

  /** The IP address of a node, as the login node knows it; null = unknown. */
  async addressOf(host: string): Promise<string | null> {
    const known = this.#addresses.get(host);
    if (known !== undefined) return known;
    const { stdout } = await this.login.script(`getent hosts ${shellQuote(host)}`);
    const [address = ''] = stdout.split(/\s/);
    if (isIP(address) === 0) return null;
    this.#addresses.set(host, address);
    return address;
  }

  /** The home directory of the login user, which all nodes share. */
  async #home(): Promise<string> {
    this.#homeAsked ??= this.login
      .script('cd && pwd -P')
      .then((executed) => this.login.checked('pwd', executed).trim());
    this.#homeAsked.catch(() => {
      this.#homeAsked = null;
    });
    return await this.#homeAsked;
  }

  /** How containers are started here. */
  async containerTool(): Promise<ContainerTool> {
    if (this.#tool === null) {
      const asking = this.#detectTool();
      asking.catch(() => {
        this.#tool = null;
      });
      this.#tool = asking;
    }
    return await this.#tool;
  }

  async #detectTool(): Promise<ContainerTool> {
    const { stdout } = await this.login.script(
      'srun --help 2>/dev/null | grep -q -e --container-image && echo pyxis; command -v apptainer',
    );
    if (stdout.includes('pyxis')) return 'pyxis';
    if (stdout.trim() !== '') return 'apptainer';
    throw new BackendError(
      `cluster ${this.config.name} cannot run containers: its srun has no --container-image (pyxis with enroot), and there is no apptainer`,
    );
  }
}

/** The words are built into the shell: no other user sees them among the arguments of a program. */
function storedCredentials(name: string, image: string, auth: RegistryAuth): readonly string[] {
  return [
    `credentials=${credentialsFolderOf(name)}; mkdir -p "$credentials"`,
    `printf '%s' ${shellQuote(enrootCredentials(image, auth))} > "$credentials/${ENROOT_FILE}"`,
    `printf '%s' ${shellQuote(auth.password)} > "$credentials/${PASSWORD_FILE}"`,
  ];
}

/** Slurm refuses at once what no node can ever do. */
const UNAVAILABLE =
  /Requested node configuration is not available|Job violates accounting\/QOS policy|QOSMax|AssocMax|AssocGrp/i;

/** Lines that Slurm and pyxis print after every failure. */
const CONSEQUENCES =
  /^(?:spank: required plugin|Failed to invoke spank|[\w.-]+: task \d+: |launch\/slurm: |pyxis: (?:couldn't start|import(?:ing|ed) docker)|Job step aborted|STEP \S+ ON )/;

/** Without the prefixes of Slurm's daemons, and without the agent's own log, which is JSON. */
function lastLines(output: string): string {
  return output
    .split('\n')
    .map((line) => line.replace(/^(?:slurmstepd[\w.-]*|srun): (?:error: )?/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('{') && !CONSEQUENCES.test(line))
    .slice(-4)
    .join('; ');
}
