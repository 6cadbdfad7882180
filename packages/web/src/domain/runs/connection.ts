import { customUrls } from '@dstack/contract/custom-urls';
import { isJobFinished, isJobRunning } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';

/** How a user reaches a run. */
export type RunConnection =
  | { readonly kind: 'ended' }
  | { readonly kind: 'not-yet'; readonly text: string }
  | { readonly kind: 'ready'; readonly steps: readonly ConnectionStep[] };

export type ConnectionStep =
  | { readonly kind: 'command'; readonly title: string; readonly command: string }
  | { readonly kind: 'link'; readonly title: string; readonly url: string; readonly label: string };

/** `origin`: of the server, for services without an address of their own. */
export function connectionOf(run: Run, origin: string): RunConnection {
  const { configuration, run_name: name = '' } = run.run_spec;
  const [job] = run.jobs;
  const latest = job?.job_submissions.at(-1);
  if (job === undefined || latest === undefined || isJobFinished(latest.status)) {
    return { kind: 'ended' };
  }
  if (configuration.type === 'service') return serviceConnection(run, origin);
  if (!isJobRunning(latest.status)) {
    return { kind: 'not-yet', text: 'You can connect once the run is running.' };
  }
  const info = job.job_connection_info;
  const attach = { kind: 'command', title: 'Attach', command: `dstack attach ${name}` } as const;
  const ssh = sshCommand(info?.proxied_ssh_command ?? info?.attached_ssh_command, name);
  const steps: ConnectionStep[] = [
    attach,
    { kind: 'command', title: 'Open a shell', command: ssh },
  ];
  const ide = info?.proxied_ide_url ?? info?.attached_ide_url;
  if (ide && isIdeUrl(ide)) {
    const label = `Open in ${info?.ide_name ?? 'the editor'}`;
    steps.push({ kind: 'link', title: 'Editor', url: ide, label });
  }
  for (const { port, map_to_port } of job.job_spec.app_specs ?? []) {
    const url = `http://127.0.0.1:${map_to_port ?? port}`;
    steps.push({ kind: 'link', title: `Port ${port}, while attached`, url, label: url });
  }
  return { kind: 'ready', steps };
}

function serviceConnection({ service, jobs }: Run, origin: string): RunConnection {
  if (service === null) return { kind: 'not-yet', text: 'The service has no address yet.' };
  const url = webUrl(service.url, origin);
  const isReady = jobs.some(({ job_spec, job_submissions }) => {
    const latest = job_submissions.at(-1);
    if (latest === undefined || !isJobRunning(latest.status)) return false;
    return job_spec.probes.every(
      ({ ready_after }, index) => (latest.probes[index]?.success_streak ?? 0) >= ready_after,
    );
  });
  if (url === null) return { kind: 'not-yet', text: 'The address of the service is not valid.' };
  if (!isReady) return { kind: 'not-yet', text: `No replica is ready yet. The address: ${url}` };
  const own = customUrls(service).flatMap((one) => webUrl(one, origin) ?? []);
  return {
    kind: 'ready',
    steps: [url, ...own].map((one) => ({
      ...{ kind: 'link', url: one, label: one },
      title: one === url ? 'Address' : 'Address of your own',
    })),
  };
}

/** Addresses come from servers and configurations; only those of web pages become links. */
export function webUrl(url: string, origin: string): string | null {
  if (!URL.canParse(url, origin)) return null;
  const parsed = new URL(url, origin);
  return parsed.protocol === 'http:' || parsed.protocol === 'https:' ? parsed.href : null;
}

const IDE_SCHEMES = ['vscode:', 'cursor:', 'windsurf:', 'zed:', 'vscode-insiders:'];

export function isIdeUrl(url: string): boolean {
  return URL.canParse(url) && IDE_SCHEMES.includes(new URL(url).protocol);
}

function sshCommand(parts: readonly string[] | null | undefined, name: string | null): string {
  return parts && parts.length > 0 ? parts.join(' ') : `ssh ${name}`;
}
