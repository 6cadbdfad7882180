import type { ServerStatus } from '@dstack/contract/wire';
import { bytes, count } from '../../domain/format/quantities.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { Properties } from '../../ui/panel/properties.tsx';
import { RelativeTime } from '../../ui/time/time.tsx';

const DATABASES: Readonly<Record<string, string>> = { sqlite: 'SQLite', postgresql: 'PostgreSQL' };
const LOG_STORES: Readonly<Record<string, string>> = {
  files: 'Files of this server',
  database: 'Database',
};

/** The version, the stores and the resource use of the server. */
export function ServerPanel({ status }: { readonly status: ServerStatus | undefined }) {
  return (
    <Panel title="Details">
      <Properties
        items={[
          { label: 'Version', value: status?.version ?? '–' },
          { label: 'API', value: status ? `as dstack ${status.server_version}` : '–' },
          { label: 'Started', value: status ? <RelativeTime at={status.started_at} /> : '–' },
          { label: 'Loops', value: status ? loopsText(status) : '–' },
          { label: 'Memory', value: status ? bytes(status.memory_bytes) : '–' },
          { label: 'Open files', value: openFiles(status) },
          { label: 'Database', value: status ? nameIn(DATABASES, status.database) : '–' },
          { label: 'Logs of jobs', value: status ? nameIn(LOG_STORES, status.log_store) : '–' },
          { label: 'Hosts connected', value: status ? hostsText(status) : '–' },
        ]}
      />
    </Panel>
  );
}

/** From this share on the server warns; the limit in `docs/troubleshooting.md`. */
const MANY_FILES = 0.8;

/** Each connection of the server is one. */
function openFiles(status: ServerStatus | undefined) {
  const { open_files: open, open_files_limit: limit } = status ?? {};
  if (open === undefined || limit === undefined) return '–';
  const text = `${count(open)} of at most ${count(limit)}`;
  if (open < limit * MANY_FILES) return text;
  return (
    <>
      {text}: few are left. Raise LimitNOFILE of the systemd unit, or <code>ulimit -n</code> before
      the server starts; near the limit it takes no new work.
    </>
  );
}

const nameIn = (names: Readonly<Record<string, string>>, key: string): string => names[key] ?? key;

const loopsText = ({ loops_are_running }: ServerStatus): string =>
  loops_are_running ? 'Running' : 'Stopped';

const hostsText = ({ hosts, connected_hosts }: ServerStatus): string =>
  `${connected_hosts} of ${hosts}`;
