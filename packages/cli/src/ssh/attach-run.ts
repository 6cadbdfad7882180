import { errorMessage } from '@dstack/contract/error-message';
import { isJobFinished, isJobRunning, isRunAlive, isRunRunning } from '@dstack/contract/status';
import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { UsageError } from '../errors.ts';
import { currentSubmission, findJob } from '../runs/run-status.ts';
import { absolute } from '../runs/service-url.ts';
import { type ForwardedPort, parsePortOption, type WantedPort } from './ports.ts';
import { hostAlias } from './route.ts';
import { type LinkInput, openLink, type RunLink } from './run-link.ts';
import { portNumber } from './ssh-value.ts';
import { FIRST_TRIES } from './tunnel.ts';
import { UrlRewriter } from './url-rewriter.ts';

export interface AttachInput {
  readonly run: Run;
  readonly job: Job;
  readonly connection: Connection;
  readonly cli: Cli;
  readonly bindAddress: string;
  /** `-p` as given. */
  readonly portOverrides: readonly string[];
  /** `--ssh-identity`. */
  readonly identity: string | null;
  /** Aborted to stop attaching. */
  readonly signal: AbortSignal;
}

/** A job with forwarded ports, reachable as `ssh <alias>`. */
export interface Attachment {
  readonly alias: string;
  readonly bindAddress: string;
  readonly ports: readonly ForwardedPort[];
  /** Where the attachment differs from the configuration, in sentences. */
  readonly notices: readonly string[];
  /** Rewrites URLs in a job's output to the forwarded ports. */
  rewriteUrls(bytes: Uint8Array): Uint8Array;
  /** Passes a newer state of the run: a new submission of the job has another address. */
  observe(run: Run): void;
  close(): Promise<void>;
}

/**
 * Forwards the job's ports and writes the SSH configuration. A lost connection is opened again,
 * without a limit on attempts, until the job has ended.
 */
export async function attachRun(input: AttachInput): Promise<Attachment> {
  const { run, job } = input;
  const wanted = wantedPorts(job, input.portOverrides);
  const link = await openLink({ ...input, wanted, tries: FIRST_TRIES });
  return new LiveAttachment(input, wanted, link, hostAlias(run, job));
}

const PAUSES_MS = [500, 1000, 2000, 5000];

class LiveAttachment implements Attachment {
  readonly alias: string;
  readonly bindAddress: string;
  readonly ports: readonly ForwardedPort[];
  readonly notices: readonly string[];
  readonly #input: AttachInput;
  readonly #rewriter: UrlRewriter;
  readonly #closing = new AbortController();
  readonly #keeping: Promise<void>;
  #link: RunLink;
  #run: Run;

  constructor(input: AttachInput, wanted: readonly WantedPort[], link: RunLink, alias: string) {
    const { run, job, connection } = input;
    this.alias = alias;
    this.bindAddress = input.bindAddress;
    this.ports = link.ports;
    this.notices = [...link.notices, ...remapped(wanted, link.ports, input.bindAddress)];
    this.#input = input;
    this.#link = link;
    this.#run = run;
    this.#rewriter = new UrlRewriter(link.ports, serviceUrl(run, connection), addressesOf(job));
    this.#keeping = this.#keep();
  }

  rewriteUrls(bytes: Uint8Array): Uint8Array {
    return this.#rewriter.rewrite(bytes);
  }

  observe(run: Run): void {
    this.#run = run;
    const submission = this.#submissionOf(run);
    if (!submission || !isJobRunning(submission.status)) return;
    if (submission.id !== this.#link.submissionId) void this.#link.tunnel.close();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#link.close();
    await this.#keeping;
  }

  async #keep(): Promise<void> {
    const { signal } = this.#closing;
    const { io } = this.#input.cli;
    while (!signal.aborted) {
      const why = await this.#link.tunnel.lost;
      try {
        const link = await this.#reopen(why, signal);
        if (link === null) return;
        this.#link = link;
        // Closed while it was being opened.
        if (signal.aborted) await link.close();
        else io.info(`Reconnected to ${this.alias}`);
      } catch (error) {
        if (signal.aborted) return;
        io.warn(`${this.alias} is unreachable: ${errorMessage(error)}`);
        return;
      }
    }
  }

  /** Null once the job has ended. */
  async #reopen(why: string, signal: AbortSignal): Promise<RunLink | null> {
    const { cli, connection, job } = this.#input;
    const spec = job.job_spec;
    for (let attempt = 0; ; attempt += 1) {
      // The connection is also lost when the job ends, which the server reports a moment later.
      await cli.wait(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)] ?? 0, signal);
      const run = await connection.project.runs
        .get({ run_name: this.#run.run_spec.run_name ?? '' })
        // The job may be reachable while its server is not, so its last known address is tried.
        .catch(() => this.#run);
      this.#run = run;
      const current = findJob(run, spec.replica_num ?? 0, spec.job_num);
      const status = current && currentSubmission(current)?.status;
      if (!isRunAlive(run.status)) return null;
      if (!current || status === undefined) return null;
      if (isJobFinished(status) && isRunRunning(run.status)) return null;
      if (attempt === 0) {
        const reason = why ? ` (${why})` : '';
        cli.io.info(`Lost the connection to ${this.alias}${reason}, reconnecting...`);
      }
      if (!isJobRunning(status)) continue;
      const link = await this.#tryOnce(run, current, signal);
      if (link !== null) return link;
    }
  }

  async #tryOnce(run: Run, job: Job, signal: AbortSignal): Promise<RunLink | null> {
    const wanted = this.ports.map(({ local, remote }) => ({ local, remote, firm: true }));
    const input: LinkInput = { ...this.#input, run, job, wanted, tries: 1, signal };
    return openLink(input).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return null;
    });
  }

  #submissionOf(run: Run) {
    const { replica_num: replica, job_num: number } = this.#input.job.job_spec;
    const job = findJob(run, replica ?? 0, number);
    return job && currentSubmission(job);
  }
}

/** The lines to print after attaching. */
export function describeAttachment(attachment: Attachment): string[] {
  const lines: string[] = [...attachment.notices];
  if (attachment.ports.length > 0) {
    lines.push('Forwarded ports (local -> remote):');
    for (const { local, remote } of attachment.ports) {
      lines.push(`  - ${attachment.bindAddress}:${local} -> ${remote}`);
    }
  }
  lines.push(`To connect to the run via SSH, use \`ssh ${attachment.alias}\`.`);
  return lines;
}

/** The run's own ports, with the overrides of the command line. */
export function wantedPorts(job: Job, overrides: readonly string[]): WantedPort[] {
  const wanted: WantedPort[] = (job.job_spec.app_specs ?? []).map((app) => ({
    local: app.map_to_port
      ? portNumber(app.map_to_port, 'a port of the run on this computer')
      : null,
    remote: portNumber(app.port, 'a port of the run'),
    firm: false,
  }));
  for (const override of overrides.map(parsePortOption)) {
    const at = wanted.findIndex((port) => port.remote === override.remote);
    if (at < 0) {
      throw new UsageError(`The run does not expose port ${override.remote}`, {
        why:
          wanted.length > 0
            ? `it exposes: ${wanted.map((p) => p.remote).join(', ')}`
            : 'it exposes none',
        next: 'add it to `ports` in the configuration',
      });
    }
    refuseOwnPort(override, job.job_submissions.at(-1)?.job_provisioning_data);
    wanted[at] = override;
  }
  return wanted;
}

/**
 * A plain process on this computer listens on the port itself, so no other program can.
 *
 * @param place the job's place, or an offer of one
 */
export function refuseOwnPort(
  { local, remote }: WantedPort,
  place:
    | {
        readonly region?: string;
        readonly instance_type?: { readonly name: string };
        readonly instance?: { readonly name: string };
      }
    | null
    | undefined,
): void {
  const type = (place?.instance_type ?? place?.instance)?.name;
  if (local !== remote || place?.region !== 'local' || type !== 'local-process') return;
  const other = remote + (remote > 55_535 ? -10_000 : 10_000);
  throw new UsageError(`Port ${remote} cannot be forwarded to itself`, {
    why: 'the run is a plain process on the same computer and listens there itself',
    next: `-p ${other}:${remote}, or open localhost:${remote} on that computer`,
  });
}

function remapped(
  wanted: readonly WantedPort[],
  ports: readonly ForwardedPort[],
  address: string,
): string[] {
  return ports.flatMap(({ local, remote }) => {
    const wish = wanted.find((port) => port.remote === remote)?.local ?? null;
    if (wish === null || wish === local) return [];
    return [`Port ${wish} is in use, so the run's port ${remote} is at ${address}:${local}`];
  });
}

function serviceUrl(run: Run, connection: Connection): string | null {
  return run.service ? absolute(run.service.url, connection) : null;
}

function addressesOf(job: Job): string[] {
  const placed = job.job_submissions.at(-1)?.job_provisioning_data;
  return [placed?.hostname, placed?.internal_ip].filter((a): a is string => Boolean(a));
}
