/** The configuration of nginx before the server. It does not depend on services. */
import {
  BACKLOG,
  CROWD,
  connectionsOf,
  FOR_WORKERS,
  FOR_WORKERS_ONLY,
  inLua,
  LARGE_HEAD,
  nginxHead,
  PATH_SHARED,
  PATH_VARIABLES,
  PLAIN_VARIABLES,
  type PlainOptions,
  plainLocation,
  plainShared,
  refusalBody,
  serverAway,
  UNDELIVERED,
  workersLocation,
  workersUpstream,
} from '@dstack/proxy';

export interface ServerNginxOptions {
  /** Absolute, without spaces and quotes: its files and sockets. */
  readonly folder: string;
  /** As nginx writes it: `127.0.0.1:3000`. */
  readonly listen: string;
  /** The unix socket at which workers, or the server, take what nginx does not answer. */
  readonly behind: string;
  readonly processes: number;
  /** nginx is started by root, and is to keep its user. */
  readonly isRoot: boolean;
  /** Names below it belong to services, whatever their path; null = there are none. */
  readonly servicesDomain: string | null;
  readonly plain: PlainOptions;
  /** Files that nginx may open; the limit of this process by default. */
  readonly mostFiles?: number;
}

/** Workers and the server end connections on which nothing comes. */
const SILENCE = '365d';
const CLIENT_PATIENCE = `      client_body_timeout ${SILENCE};
      send_timeout ${SILENCE};
`;

export function serverConfiguration(options: ServerNginxOptions): string {
  const { folder, behind, processes, isRoot, servicesDomain, mostFiles } = options;
  const plain = { ...options.plain, connections: connectionsOf(mostFiles) };
  const others = workersLocation('/', {
    ...{ scheme: 'http', silence: SILENCE },
    before: `${CLIENT_PATIENCE}${FOR_WORKERS_ONLY}`,
  });
  const head = nginxHead({
    ...{ folder, user: isRoot ? 'root' : null, modules: plain.modules, processes, mostFiles },
    // Workers and the server have their limits.
    maxBody: 0,
  });
  return `${head}  underscores_in_headers on;
  # Load balancers keep idle connections for a minute, as the server does.
  keepalive_timeout 72s;
${plainShared(plain, folder, inLua([behind]))}${PATH_SHARED}${workersUpstream([behind])}
  server {
    listen ${options.listen} default_server ${BACKLOG};
    server_name _;
${CROWD}
${PLAIN_VARIABLES}
${PATH_VARIABLES}
${plainLocation(plain, { scheme: 'http', before: '', isByPath: true })}
${UNDELIVERED}
${workersLocation('@workers', {
  ...{ scheme: 'http', silence: SILENCE },
  before: `${CLIENT_PATIENCE}${FOR_WORKERS}`,
})}
${others}
${REFUSALS}
  }
${servicesDomain === null ? '' : servicesServer(servicesDomain, options.listen, others)}}
`;
}

/** There, paths like those of the API's origin are the apps' own. */
function servicesServer(domain: string, listen: string, others: string): string {
  return `  server {
    listen ${listen};
    server_name .${domain};
${CROWD}
${others}
${REFUSALS}
  }
`;
}

const AWAY = serverAway();

/** Bodies have no limit, but locations name what follows one. */
const REFUSALS = `${LARGE_HEAD}
    location @large_body {
      return 413;
    }
    # Of nginx itself: nothing listens behind it.
    error_page 502 504 = @away;
    location @away {
      default_type application/json;
      add_header Retry-After ${AWAY.retryAfter ?? 1} always;
      return ${AWAY.status} '${JSON.stringify(refusalBody(AWAY))}';
    }`;
