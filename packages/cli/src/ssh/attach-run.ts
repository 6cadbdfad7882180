import type { Job, Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../context.ts';
import { UsageError } from '../errors.ts';
import { absolute } from '../runs/service-url.ts';
import { addHosts, hostAlias, includeInUserConfig, removeHosts, routeTo } from './host-config.ts';
import { identityForRun } from './identity.ts';
import { allocatePorts, type ForwardedPort, parsePort, type WantedPort } from './ports.ts';
import { openTunnel } from './tunnel.ts';
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
  /** Stops attaching. */
  readonly signal: AbortSignal;
}

/** A job whose ports are forwarded and that `ssh <alias>` reaches. */
export interface Attachment {
  readonly alias: string;
  readonly bindAddress: string;
  readonly ports: readonly ForwardedPort[];
  /** Points URLs in a job's output at the forwarded ports. */
  rewriteUrls(bytes: Uint8Array): Uint8Array;
  close(): Promise<void>;
}

/** Forwards the job's ports and writes the SSH configuration. */
export async function attachRun(input: AttachInput): Promise<Attachment> {
  const { run, job, connection, cli } = input;
  const wanted = wantedPorts(job, input.portOverrides);
  const ports = await allocatePorts(wanted, input.bindAddress);
  const identity =
    input.identity ?? (await identityForRun(run.run_spec.ssh_key_pub, connection, cli));
  const route = routeTo(run, job, identity);
  await addHosts(cli.home, route.blocks);
  const refused = await includeInUserConfig(cli.home);
  if (refused !== null)
    cli.io.warn(
      `~/.ssh/config is unchanged, \`ssh ${route.destination}\` will not work: ${refused}`,
    );
  try {
    const { destination } = route;
    const { bindAddress } = input;
    const tunnel = await openTunnel(
      { destination, identity, bindAddress, ports, signal: input.signal },
      cli,
    );
    const rewriter = new UrlRewriter(ports, serviceUrl(run, connection), addressesOf(job));
    return {
      alias: hostAlias(run, job),
      bindAddress,
      ports,
      rewriteUrls: (bytes) => rewriter.rewrite(bytes),
      close: async () => {
        await tunnel.close();
        await removeHosts(cli.home, route.blocks);
      },
    };
  } catch (error) {
    await removeHosts(cli.home, route.blocks);
    throw error;
  }
}

/** What to tell after attaching. */
export function describeAttachment(attachment: Attachment): string[] {
  const lines: string[] = [];
  if (attachment.ports.length > 0) {
    lines.push('Forwarded ports (local -> remote):');
    for (const { local, remote } of attachment.ports) {
      lines.push(`  - ${attachment.bindAddress}:${local} -> ${remote}`);
    }
  }
  lines.push(`To connect to the run via SSH, use \`ssh ${attachment.alias}\`.`);
  return lines;
}

/** The run's own ports, with what the command line says about them. */
function wantedPorts(job: Job, overrides: readonly string[]): WantedPort[] {
  const wanted = (job.job_spec.app_specs ?? []).map((app) => ({
    local: app.map_to_port ?? null,
    remote: app.port,
  }));
  for (const override of overrides.map(parsePort)) {
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
    wanted[at] = { local: override.local, remote: override.remote };
  }
  return wanted;
}

function serviceUrl(run: Run, connection: Connection): string | null {
  return run.service ? absolute(run.service.url, connection) : null;
}

function addressesOf(job: Job): string[] {
  const placed = job.job_submissions.at(-1)?.job_provisioning_data;
  return [placed?.hostname, placed?.internal_ip].filter((a): a is string => Boolean(a));
}
