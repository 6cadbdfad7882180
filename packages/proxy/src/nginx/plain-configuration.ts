/** The parts of nginx's configuration by which it answers requests itself; see `plain.lua`. */
import { dirname } from 'node:path';

export interface PlainOptions {
  /** Paths of modules to load, in this order. */
  readonly modules: readonly string[];
  /** The folder of `plain.lua`. Another name for each version: nginx reads it when its configuration changes. */
  readonly folder: string;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
  /** Headers in which proxies name their client may count; false by default. Workers know whose do. */
  readonly hasProxies?: boolean;
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
  { folder, hasProxies = false }: PlainOptions,
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
    require("plain").load({ ${workers} }, ${hasProxies})
    require("certificates").folder = "${runtime}/certificates"
  }
  init_worker_by_lua_block { require("plain").start() }
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

/** For a block `server`: they outlive internal redirects, and are set once for each request. */
export const PLAIN_VARIABLES = ['ref', 'user', 'authorization', 'wants', 'failed']
  .map((name) => `    set $dstack_${name} "";`)
  .join('\n');

/** Headers by which nginx describes to workers a request that nginx did not answer. */
export const FOR_WORKERS = `      proxy_set_header X-Dstack-Gateway-Wants $dstack_wants;
      proxy_set_header X-Dstack-Gateway-Failed $dstack_failed;
      header_filter_by_lua_block { require("plain").worker_headers() }
`;

/** Headers of one connection only. */
const HOP_BY_HOP = [
  ...['TE', 'Trailer', 'Upgrade', 'Proxy-Connection', 'Proxy-Authenticate', 'HTTP2-Settings'],
];

interface Location {
  readonly scheme: 'http' | 'https';
  /** Directives at the begin of the location. */
  readonly before: string;
  /** Bytes of a head. */
  readonly head: string;
  /** Headers that have no meaning here. */
  readonly accel: readonly string[];
  /** Paths of the API's origin lead to services, instead of host names. */
  readonly isByPath?: boolean;
}

/** The rest of the path as it was written: with a variable, nginx neither decodes nor shortens it. */
const PATH_PASS = `proxy_pass http://dstack_plain$dstack_path;
      proxy_redirect off;
      proxy_set_header X-Forwarded-Prefix $dstack_prefix;`;

/** The location of all requests; `@workers` takes those that it does not answer. */
export function plainLocation(
  { timeoutMs }: PlainOptions,
  { scheme, before, head, accel, isByPath = false }: Location,
): string {
  const timeout = timeoutMs > 0 ? `${timeoutMs}ms` : '365d';
  return `    location ${isByPath ? '^~ /proxy/services/' : '/'} {
${before}      access_by_lua_block { require("plain").access(${isByPath}) }
      header_filter_by_lua_block { require("plain").headers() }
      body_filter_by_lua_block { return require("plain").body() }
      log_by_lua_block { require("plain").log() }
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
      proxy_buffer_size ${head};
      proxy_buffers 4 ${head};
      proxy_buffering off;
${accel.map((name) => `      proxy_pass_header ${name};`).join('\n')}
      proxy_ignore_headers ${accel.join(' ')};
${HOP_BY_HOP.map((name) => `      proxy_hide_header ${name};`).join('\n')}
      client_body_buffer_size 64k;
      proxy_connect_timeout 5s;
      proxy_read_timeout ${timeout};
      proxy_send_timeout ${timeout};
      proxy_next_upstream error;
      proxy_next_upstream_tries 0;
    }
    location @undelivered {
      content_by_lua_block { require("plain").undelivered("connection_broken") }
    }
    location @timed_out {
      content_by_lua_block { require("plain").undelivered("timed_out") }
    }`;
}

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
