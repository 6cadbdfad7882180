/** Which sockets of a TCP port of this computer a process has; from `/proc`. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';
const ESTABLISHED = '01';

/** Whether the process has the socket that listens on the port. */
export function listens(pid: number, port: number): boolean {
  return shared(pid, socketsOf(port, LISTENING)) > 0;
}

/** How many connections to the port the process has. */
export function connectionsOf(pid: number, port: number): number {
  return shared(pid, socketsOf(port, ESTABLISHED));
}

function shared(pid: number, sockets: ReadonlySet<string>): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

/** Sockets whose own port this is, as links name them. */
function socketsOf(port: number, wanted: string): Set<string> {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return new Set(
    rows.flatMap((row) => {
      const [, address, , state, , , , , , inode] = row.trim().split(/\s+/);
      return address?.endsWith(end) && state === wanted ? [`socket:[${inode}]`] : [];
    }),
  );
}
