/** The begin of each configuration of nginx: what does not depend on what it is for. */
import { readFileSync } from 'node:fs';

export interface NginxHead {
  /** Absolute, without spaces and quotes: its files. */
  readonly folder: string;
  /** Whose its workers are; null = nginx is not started by root. */
  readonly user: string | null;
  /** Paths of modules to load, in this order. */
  readonly modules: readonly string[];
  readonly processes: number;
  /** Bytes of a body; 0 = no limit. */
  readonly maxBody: number;
  /** Most files that nginx may open, one of this process's children; null = unknown. */
  readonly mostFiles?: number | null;
}

/** More than a head that workers pass on (`MAX_HEADERS`), and what is added to it. */
export const HEAD = '96k';

/** Each process needs two for a request: to the client and to who answers it. */
const FILES = 65_535;
const CONNECTIONS = 16_384;

/** Connections of one process, those to who answers requests included. */
export const connectionsOf = (mostFiles: number | null = hardLimit()): number =>
  Math.min(CONNECTIONS, mostFiles ?? CONNECTIONS);

/** Up to the first directives of the block `http`, which is to be closed. */
export function nginxHead(head: NginxHead): string {
  const { folder, user, modules, processes, maxBody, mostFiles = hardLimit() } = head;
  // Above the hard limit, the system refuses the change as a whole.
  const files = Math.min(FILES, mostFiles ?? FILES);
  return `# Written by dstack; changes are overwritten.
${user === null ? '' : `user ${user};\n`}${modules.map((path) => `load_module ${path};\n`).join('')}worker_processes ${processes};
worker_rlimit_nofile ${files};
worker_shutdown_timeout 600s;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx-error.log warn;
events {
  worker_connections ${connectionsOf(mostFiles)};
}
http {
  access_log off;
  server_tokens off;
  client_max_body_size ${maxBody};
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  .map((name) => `  ${name}_temp_path ${folder}/tmp/${name};`)
  .join('\n')}
  # Workers know the limit of all headers together, and refuse more.
  large_client_header_buffers 4 ${HEAD};
  # From the first byte of a head to its end, as the server allows.
  client_header_timeout 20s;
  keepalive_requests 1000000;
`;
}

/** How many files this process and its children may open at most; null = no limit is known. */
function hardLimit(): number | null {
  try {
    return hardLimitIn(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    // Another system than Linux.
    return null;
  }
}

/** `limits`: as the kernel writes them, for people. */
export function hardLimitIn(limits: string): number | null {
  const hard = Number(/^Max open files +\S+ +(\S+)/m.exec(limits)?.[1]);
  return Number.isInteger(hard) && hard > 0 ? hard : null;
}
