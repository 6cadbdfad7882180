/** The parts of nginx's configuration by which it answers requests itself; see `plain.lua`. */
import { dirname } from 'node:path';
import { HEAD } from './nginx-head.ts';

export interface PlainOptions {
  /** Paths of modules to load, in this order. */
  readonly modules: readonly string[];
  /** The folder of `plain.lua`. Another name for each version: nginx reads it when its configuration changes. */
  readonly folder: string;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
  /** Headers in which proxies name their client may count; false by default. Workers know whose do. */
  readonly hasProxies?: boolean;
  /** Bytes of a body above which workers refuse it; 0 = no limit, which is the default. */
  readonly maxBody?: number;
  /** nginx ends once no main process has kept it up to date for so long (ms), and nothing listens behind it. */
  readonly lingerMs?: number;
  /**
   * Connections that each process may have. Above half of them it closes connections without a request, those of the
   * networks with most of them. By default it closes none.
   */
  readonly connections?: number;
}

/** Where nginx learns from the main process what it may answer. Only the main process and nginx reach the folder. */
export const plainSocket = (runtime: string): string => `${runtime}/tls/plain.sock`;

/** A connection without a request is closed after this long, as by workers. */
const IDLE = '4s';

/**
 * For the block `http`. Routes, callers and counts are in memory that all processes of nginx share and that
 * outlives each of them: none is lost when one is killed.
 */
export function plainShared(
  { folder, hasProxies = false, maxBody = 0, lingerMs, connections }: PlainOptions,
  runtime: string,
  workers: string,
): string {
  return `  lua_package_path "${folder}/?.lua;;";
  lua_shared_dict dstack_routes 32m;
  lua_shared_dict dstack_grants 8m;
  lua_shared_dict dstack_counts 32m;
  lua_shared_dict dstack_live 4m;
  lua_shared_dict dstack_ejected 1m;
  lua_shared_dict dstack_pages 16m;
  init_by_lua_block {
    require("plain").load({ ${workers} }, ${hasProxies}, ${maxBody})
    require("certificates").folder = "${runtime}/certificates"
${lingerMs === undefined ? '' : `    require("linger").load({ ${workers} }, ${lingerMs}, "${runtime}/nginx.pid")\n`}${connections === undefined ? '' : `    require("crowd").most = ${connections}\n`}  }
  init_worker_by_lua_block {
    require("plain").start()
    require("linger").start()
    require("crowd").start()
  }
  upstream dstack_plain {
    server 0.0.0.1;
    balancer_by_lua_block { require("plain").balance() }
    keepalive 4096;
    keepalive_timeout ${IDLE};
    keepalive_requests 1000000;
  }
  server {
    listen unix:${plainSocket(runtime)};
    client_max_body_size 64m;
    client_body_buffer_size 1m;
${['push', 'tick', 'live', 'ended', 'pages']
  .map(
    (name) => `    location = /${name} { content_by_lua_block { require("control").${name}() } }`,
  )
  .join('\n')}
  }
`;
}

/** For the block `server` of TLS: nginx itself would read the certificate of a name for each handshake. */
export const CERTIFICATES =
  '    ssl_certificate_by_lua_block { require("certificates").present() }\n';

/** For a block `server` whose connections are bounded: locations with Lua of these phases do the same. */
export const CROWD = `    set $dstack_entered "";
    access_by_lua_block { require("crowd").enter() }
    log_by_lua_block { require("crowd").leave() }`;

/** For a block `server`: they outlive internal redirects, and are set once for each request. */
export const PLAIN_VARIABLES = ['ref', 'user', 'authorization', 'wants', 'failed']
  .map((name) => `    set $dstack_${name} "";`)
  .join('\n');

/** Headers by which nginx describes to workers a request that nginx did not answer. */
export const FOR_WORKERS = `      proxy_set_header X-Dstack-Gateway-Wants $dstack_wants;
      proxy_set_header X-Dstack-Gateway-Failed $dstack_failed;
      header_filter_by_lua_block { require("plain").worker_headers() }
`;

/** For a block `server`, in the form of other refusals. nginx has its own status 494 for too many headers. */
export const LARGE_HEAD = `    error_page 494 =431 @large_head;
    location @large_head {
      default_type application/json;
      return 431 '{"detail":"The headers of the request are larger than 64 KiB"}';
    }`;
/** Connections that wait until they are accepted; above it, the kernel makes clients wait for seconds. */
export const BACKLOG = 'backlog=4096';

/** An app commands by these headers the nginx that its client uses, and never this one. */
const ACCEL = [
  'X-Accel-Redirect',
  'X-Accel-Expires',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
];
const ACCEL_PASSED = `${ACCEL.map((name) => `      proxy_pass_header ${name};`).join('\n')}
      proxy_ignore_headers ${ACCEL.join(' ')};`;

/** For the block `http`: `upstream dstack`, the workers with these sockets, and what `workersLocation` needs. */
export const workersUpstream = (
  sockets: readonly string[],
) => `  # The host in a URL of absolute form counts, not the header (RFC 9112 3.2.2).
  map $request $dstack_host {
    default $http_host;
    "~*^[^ ]+ https?://(?<dstack_target>[^/?# ]+)" $dstack_target;
  }
  map $http_upgrade $dstack_connection {
    default "upgrade";
    "" "";
  }
  upstream dstack {
    least_conn;
    zone dstack 256k;
${sockets.map((path) => `    server unix:${path} max_fails=0;`).join('\n')}
    # For each process of nginx. Above it every request opens a connection, and waits in the queue of a worker.
    keepalive 4096;
    keepalive_timeout 10s;
    keepalive_requests 1000000;
  }`;

export interface WorkersLocation {
  readonly scheme: 'http' | 'https';
  /** Directives at the begin of the location. */
  readonly before: string;
  /** How long neither side may send anything, as nginx writes it. */
  readonly silence: string;
}

/** A location whose requests workers answer. */
export function workersLocation(
  location: string,
  { scheme, before, silence }: WorkersLocation,
): string {
  return `    location ${location} {
${before}      proxy_pass http://dstack;
      proxy_http_version 1.1;
      proxy_set_header Host $dstack_host;
      proxy_set_header Connection $dstack_connection;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Dstack-Gateway-Address $remote_addr;
      proxy_set_header X-Dstack-Gateway-Scheme ${scheme};
      proxy_set_header X-Dstack-Gateway-Sni $ssl_server_name;
      proxy_buffer_size ${HEAD};
      # Not used without buffering, but nginx refuses smaller ones beside the size above.
      proxy_buffers 4 ${HEAD};
      proxy_buffering off;
${ACCEL_PASSED}
      proxy_request_buffering off;
      proxy_connect_timeout 5s;
      proxy_read_timeout ${silence};
      proxy_send_timeout ${silence};
      proxy_next_upstream error;
      proxy_next_upstream_tries 4;
    }`;
}

/** Clients do not speak for nginx. */
export const FOR_WORKERS_ONLY = `      proxy_set_header X-Dstack-Gateway-Wants "";
      proxy_set_header X-Dstack-Gateway-Failed "";
`;

/** Headers of one connection only. */
const HOP_BY_HOP = [
  ...['TE', 'Trailer', 'Upgrade', 'Proxy-Connection', 'Proxy-Authenticate', 'HTTP2-Settings'],
];

interface Location {
  readonly scheme: 'http' | 'https';
  /** Directives at the begin of the location. */
  readonly before: string;
  /** Paths of the API's origin lead to services, instead of host names. */
  readonly isByPath?: boolean;
}

/** The rest of the path as it was written: with a variable, nginx neither decodes nor shortens it. */
const PATH_PASS = `proxy_pass http://dstack_plain$dstack_path;
      proxy_redirect off;
      proxy_set_header X-Forwarded-Prefix $dstack_prefix;`;

/** The location of all requests; `@workers` takes those that it does not answer. */
export function plainLocation(
  { timeoutMs, connections }: PlainOptions,
  { scheme, before, isByPath = false }: Location,
): string {
  const isBounded = connections !== undefined;
  const timeout = timeoutMs > 0 ? `${timeoutMs}ms` : '365d';
  return `    location ${isByPath ? '^~ /proxy/services/' : '/'} {
${before}      access_by_lua_block { ${isBounded ? 'require("crowd").enter() ' : ''}require("plain").access(${isByPath}) }
      header_filter_by_lua_block { require("plain").headers() }
      body_filter_by_lua_block { return require("plain").body() }
      log_by_lua_block { ${isBounded ? 'require("crowd").leave() ' : ''}require("plain").log() }
      error_page 500 502 503 = @undelivered;
      error_page 504 = @timed_out;
      error_page 413 @large_body;
      ${isByPath ? PATH_PASS : 'proxy_pass http://dstack_plain;'}
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header Authorization $dstack_authorization;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto ${scheme};
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id ${isByPath ? '$dstack_request_id' : '$request_id'};
      proxy_set_header X-Dstack-User $dstack_user;
      proxy_buffer_size ${HEAD};
      proxy_buffers 4 ${HEAD};
      proxy_buffering off;
${ACCEL_PASSED}
${HOP_BY_HOP.map((name) => `      proxy_hide_header ${name};`).join('\n')}
      client_body_buffer_size 64k;
      proxy_connect_timeout 5s;
      proxy_read_timeout ${timeout};
      proxy_send_timeout ${timeout};
      proxy_next_upstream error;
      proxy_next_upstream_tries 0;
    }`;
}

/** For a block `server`, beside its locations of `plainLocation`: what they do with requests that were not delivered. */
export const UNDELIVERED = `    location @undelivered {
      content_by_lua_block { require("plain").undelivered("connection_broken") }
    }
    location @timed_out {
      content_by_lua_block { require("plain").undelivered("timed_out") }
    }`;

/** For the block `http` with the location of paths: clients may name their requests there, as workers accept it. */
export const PATH_SHARED = `  map $http_x_request_id $dstack_request_id {
    default $request_id;
    "~^[A-Za-z0-9_.:/+=-]{1,128}$" $http_x_request_id;
  }
`;

/** For a block `server` with the location of paths, beside `PLAIN_VARIABLES`. */
export const PATH_VARIABLES = ['path', 'prefix']
  .map((name) => `    set $dstack_${name} "";`)
  .join('\n');

/** The modules, which need each other in this order. */
export const PLAIN_MODULES = ['ndk_http_module.so', 'ngx_http_lua_module.so'];

/** The names of sockets as Lua writes them. */
export const inLua = (paths: readonly string[]): string =>
  paths.map((path) => JSON.stringify(path)).join(', ');

/** The folder of modules, from the output of `nginx -V`. */
export const modulesFolder = (shown: string): string =>
  (/--modules-path=(\S+)/.exec(shown) ?? [])[1] ?? dirname('/usr/lib/nginx/modules/x');
