/** The configuration of nginx. It does not depend on services: their routes are in the workers. */
import {
  BACKLOG,
  CERTIFICATES,
  CROWD,
  FOR_WORKERS,
  FOR_WORKERS_ONLY,
  HEAD,
  inLua,
  LARGE_HEAD,
  nginxHead,
  PLAIN_VARIABLES,
  type PlainOptions,
  plainLocation,
  plainShared,
  UNDELIVERED,
  workersLocation,
  workersUpstream,
} from '@dstack/proxy';

export interface NginxOptions {
  /** Absolute, without spaces and quotes. */
  readonly runtime: string;
  readonly httpPort: number;
  /** Null: no TLS. */
  readonly httpsPort: number | null;
  /** Bytes; 0 = no limit. */
  readonly maxBody: number;
  /** Seconds of `Strict-Transport-Security`; 0 = no such header. */
  readonly hsts: number;
  /** Sockets of the workers. */
  readonly workers: readonly string[];
  /**
   * Follows the token in answers to authorities that ask by http-01, also for what another replica has
   * requested; null = only tokens of this replica are answered.
   */
  readonly acmeProof: string | null;
  /** Where connections of authorities go, by their protocol; null = there are none. */
  readonly acmeSocket: string | null;
  /** A module to load for that; null = nginx contains it. */
  readonly streamModule: string | null;
  /** The user of nginx's workers; null = nginx is not started by root. */
  readonly user: string | null;
  /** Whether nginx has the directive `http2`, from 1.25.1. */
  readonly hasHttp2Directive: boolean;
  /**
   * Whether nginx keeps certificates that it has read, from 1.27.4. Others read them for each connection
   * that does not resume an earlier one, unless nginx answers requests itself: then Lua keeps them.
   */
  readonly hasCertificateCache: boolean;
  readonly hasIpv6: boolean;
  /** Requests that nginx answers itself; null = workers answer all of them. */
  readonly plain: PlainOptions | null;
}

export function nginxConfiguration(options: NginxOptions): string {
  const { runtime, user, maxBody, workers, plain } = options;
  const head = nginxHead({
    folder: runtime,
    user,
    modules: modulesOf(options),
    processes: 2,
    maxBody,
  });
  return `${head}  # Only names of hosts reach the path of a file.
  map $ssl_server_name $dstack_certificate {
    default "none";
    "~^(?<dstack_sni>[a-z0-9][a-z0-9-]*([.][a-z0-9][a-z0-9-]*)*)$" $dstack_sni;
  }
${hstsOf(options)}${plain === null ? '' : plainShared(plain, runtime, inLua(workers))}${workersUpstream(workers)}
  map "$http2 $http_content_type" $dstack_is_call {
    default "";
    "~*^h2 application/grpc([+;]|$)" 1;
  }
  # A connection for each call: a worker that leaves has none that nginx takes for another one.
  upstream dstack_calls {
    least_conn;
    zone dstack_calls 256k;
${workers.map((path) => `    server unix:${callsSocket(path)} max_fails=0;`).join('\n')}
  }
  server {
    # Shared ports: a new master process starts beside the workers of one that was killed.
    listen ${options.httpPort} default_server reuseport ${BACKLOG};${options.hasIpv6 ? `\n    listen [::]:${options.httpPort} default_server reuseport ${BACKLOG};` : ''}
    server_name _;
${challenges(options)}
${forwarding('http', plain)}
${REFUSALS}
  }
${options.httpsPort === null ? '' : tlsServer(options, options.httpsPort)}}
${options.httpsPort === null ? '' : acmeStream(options, options.httpsPort)}`;
}

/** An app that sends the header itself chooses the time. */
function hstsOf({ hsts }: NginxOptions): string {
  if (hsts === 0) return '';
  return `  map $upstream_http_strict_transport_security $dstack_hsts {
    default "";
    "" "max-age=${hsts}";
  }
`;
}

/** Tokens consist of these characters only, so nothing else of a request is repeated in an answer. */
function challenges({ runtime, acmeProof }: NginxOptions): string {
  const files = `    location ^~ /.well-known/acme-challenge/ {
      root ${runtime}/acme;
      default_type text/plain;`;
  if (acmeProof === null) return `${files}\n    }`;
  return `${files}
      location ~ "^/[.]well-known/acme-challenge/(?<dstack_token>[A-Za-z0-9_-]{1,128})$" {
        root ${runtime}/acme;
        default_type text/plain;
        try_files $uri @proof;
      }
    }
    location @proof {
      default_type text/plain;
      return 200 "$dstack_token.${acmeProof}";
    }`;
}

function modulesOf({ acmeSocket, streamModule, plain }: NginxOptions): string[] {
  return [
    ...(acmeSocket === null || streamModule === null ? [] : [streamModule]),
    ...(plain?.modules ?? []),
  ];
}

/** Where nginx itself takes connections of clients, if those of authorities are led elsewhere. */
export const clientSocket = (runtime: string): string => `${runtime}/tls/https.sock`;

/** Looks at the first message of a connection, and changes nothing of it. */
function acmeStream({ runtime, acmeSocket, hasIpv6 }: NginxOptions, port: number): string {
  if (acmeSocket === null) return '';
  return `stream {
  map $ssl_preread_alpn_protocols $dstack_tls {
    default unix:${clientSocket(runtime)};
    "~(^|,)acme-tls/1(,|$)" unix:${acmeSocket};
  }
  server {
    listen ${port} reuseport ${BACKLOG};
${hasIpv6 ? `    listen [::]:${port} reuseport ${BACKLOG};\n` : ''}    ssl_preread on;
    proxy_pass $dstack_tls;
    proxy_protocol on;
    proxy_timeout 1h;
  }
}
`;
}

/** Those of Mozilla's intermediate recommendation with keys by ECDHE; for TLS 1.2, as 1.3 has no others. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

function tlsServer(options: NginxOptions, port: number): string {
  const { runtime, hasHttp2Directive } = options;
  return `  server {
${tlsListeners(options, port)}${hasHttp2Directive ? '    http2 on;\n' : ''}    server_name _;
    ssl_certificate ${runtime}/certificates/$dstack_certificate.pem;
    ssl_certificate_key ${runtime}/certificates/$dstack_certificate.pem;
${certificateCache(options)}    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ${CIPHERS.join(':')};
    ssl_prefer_server_ciphers off;
    ssl_ecdh_curve X25519:prime256v1:secp384r1;
    ssl_session_cache shared:dstack_tls:10m;
    ssl_session_timeout 1h;
${options.hsts === 0 ? '' : '    add_header Strict-Transport-Security $dstack_hsts always;\n'}${forwarding('https', options.plain)}
${CALLS}
${REFUSALS}
  }
`;
}

function certificateCache({ plain, hasCertificateCache }: NginxOptions): string {
  if (hasCertificateCache) return '    ssl_certificate_cache max=2000 inactive=1h valid=1s;\n';
  return plain === null ? '' : CERTIFICATES;
}

function tlsListeners(options: NginxOptions, port: number): string {
  const { runtime, hasHttp2Directive, hasIpv6, acmeSocket } = options;
  const how = `ssl${hasHttp2Directive ? '' : ' http2'} default_server`;
  // Always: after a change of the challenge, workers from before it still lead connections here.
  const led = `    listen unix:${clientSocket(runtime)} ${how} proxy_protocol ${BACKLOG};
    set_real_ip_from unix:;
    real_ip_header proxy_protocol;
`;
  if (acmeSocket !== null) return led;
  const second = hasIpv6 ? `    listen [::]:${port} ${how} reuseport ${BACKLOG};\n` : '';
  return `${led}    listen ${port} ${how} reuseport ${BACKLOG};\n${second}`;
}

/** Where a worker with this socket takes calls of gRPC. */
export const callsSocket = (socket: string): string => socket.replace(/\.sock$/, '-calls.sock');

/** The status is an inner one, which only leads to the location. */
const TO_CALLS = `      error_page 418 = @calls;
      # Not taken over from the server where a location has one of its own.
      error_page 413 @large_body;
      if ($dstack_is_call) {
        return 418;
      }
`;

/**
 * A call may be open for long while neither side sends anything. Its messages may add up to any size: they are
 * passed on as they arrive, and a replica that does not read them holds back the client.
 */
const CALLS = `    location @calls {
      grpc_pass grpc://dstack_calls;
      grpc_set_header Host $http_host;
      grpc_set_header X-Dstack-Gateway-Address $remote_addr;
      grpc_set_header X-Dstack-Gateway-Scheme https;
      grpc_set_header X-Dstack-Gateway-Sni $ssl_server_name;
      grpc_buffer_size ${HEAD};
      grpc_connect_timeout 5s;
      grpc_read_timeout 1h;
      grpc_send_timeout 1h;
      grpc_next_upstream error;
      grpc_next_upstream_tries 4;
      client_body_timeout 1h;
      client_max_body_size 0;
    }`;

/** Answers to requests that nginx itself refuses, in the form of other refusals. */
const REFUSALS = `${LARGE_HEAD}
    error_page 413 @large_body;
    location @large_body {
      default_type application/json;
      return 413 '{"detail":"The body of the request is larger than this gateway accepts"}';
    }`;

/** A client's own headers of these names are replaced. */
function forwarding(scheme: 'http' | 'https', plain: PlainOptions | null): string {
  const before = scheme === 'https' ? TO_CALLS : '';
  const silence = '1h';
  if (plain === null) {
    return workersLocation('/', { scheme, before: `${before}${FOR_WORKERS_ONLY}`, silence });
  }
  return `${plain.connections === undefined ? '' : `${CROWD}\n`}${PLAIN_VARIABLES}
${plainLocation(plain, { scheme, before })}
${UNDELIVERED}
${workersLocation('@workers', { scheme, before: FOR_WORKERS, silence })}`;
}
