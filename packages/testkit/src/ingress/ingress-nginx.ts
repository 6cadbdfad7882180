/**
 * The rules of Ingress objects as a configuration of nginx, by the documentation of the API
 * (kubernetes.io/docs/concepts/services-networking/ingress): no annotations, no extensions.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Ingress,
  IngressBackend,
  IngressObjects,
  IngressPath,
  Secret,
} from './ingress-objects.ts';

export interface IngressNginx {
  /** The class of the Ingress objects that are served; those of others are not. */
  readonly className: string;
  /** Where nginx listens: `10.1.2.3:80`. */
  readonly http: string;
  /** Null: no TLS. */
  readonly https: string | null;
  /** For the files of nginx. */
  readonly folder: string;
}

/** A path of a host, with the address that requests go to; null = the service is not there. */
interface Route {
  readonly path: string;
  readonly isExact: boolean;
  readonly target: string | null;
}

interface Host {
  readonly routes: Route[];
  /** Name of the files of its certificate; null = no TLS. */
  certificate: string | null;
}

/** For rules without a host. */
const ANY_HOST = '';

/** Writes certificates into the folder; returns the text of the configuration. */
export function nginxConfiguration(objects: IngressObjects, options: IngressNginx): string {
  const ingresses = objects.ingresses.filter(
    ({ spec }) => spec.ingressClassName === options.className,
  );
  const hosts = new Map<string, Host>([[ANY_HOST, { routes: [], certificate: null }]]);
  for (const ingress of ingresses) addRules(hosts, ingress, objects);
  for (const ingress of ingresses) addCertificates(hosts, ingress, objects.secrets, options.folder);
  const fallback = ingresses.find(({ spec }) => spec.defaultBackend);
  const byDefault = fallback?.spec.defaultBackend
    ? route(
        { path: '/', pathType: 'Prefix', backend: fallback.spec.defaultBackend },
        fallback,
        objects,
      )
    : null;
  const servers = [...hosts].map(([name, host]) => server(name, host, byDefault, options));
  const { folder } = options;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return [
    `daemon off; user root; worker_processes 1; pid ${folder}/pid;`,
    `error_log ${folder}/error.log; events {}`,
    `http { access_log off; ${temporary.join(' ')} server_names_hash_bucket_size 256;`,
    'map $http_upgrade $connection_of_upgrade { default upgrade; "" ""; }',
    ...servers,
    '}',
    '',
  ].join('\n');
}

function addRules(hosts: Map<string, Host>, ingress: Ingress, objects: IngressObjects): void {
  for (const { host: name = ANY_HOST, http } of ingress.spec.rules ?? []) {
    const host = hosts.get(name) ?? { routes: [], certificate: null };
    hosts.set(name, host);
    for (const path of http?.paths ?? []) host.routes.push(route(path, ingress, objects));
  }
}

function route(
  { path = '/', pathType, backend }: IngressPath,
  ingress: Ingress,
  objects: IngressObjects,
): Route {
  return { path, isExact: pathType === 'Exact', target: targetOf(backend, ingress, objects) };
}

function targetOf(
  { service: wanted }: IngressBackend,
  { metadata: { namespace } }: Ingress,
  { services }: IngressObjects,
): string | null {
  const service = services.find(
    ({ metadata }) => metadata.name === wanted?.name && metadata.namespace === namespace,
  );
  const { clusterIP = 'None', ports = [] } = service?.spec ?? {};
  const port = ports.find(({ name, port: number }) =>
    wanted?.port.name === undefined ? number === wanted?.port.number : name === wanted.port.name,
  );
  return port && clusterIP !== 'None' ? `${clusterIP}:${port.port}` : null;
}

function addCertificates(
  hosts: ReadonlyMap<string, Host>,
  { spec, metadata: { namespace } }: Ingress,
  secrets: readonly Secret[],
  folder: string,
): void {
  for (const { hosts: names = [], secretName } of spec.tls ?? []) {
    const secret = secrets.find(
      ({ metadata }) => metadata.name === secretName && metadata.namespace === namespace,
    );
    const [chain, key] = [secret?.data?.['tls.crt'], secret?.data?.['tls.key']];
    if (chain === undefined || key === undefined) continue;
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${namespace}-${secretName}`);
    writeFileSync(`${file}.crt`, Buffer.from(chain, 'base64'));
    writeFileSync(`${file}.key`, Buffer.from(key, 'base64'), { mode: 0o600 });
    for (const name of names) {
      const host = hosts.get(name);
      if (host) host.certificate = file;
    }
  }
}

function server(
  name: string,
  { routes, certificate }: Host,
  byDefault: Route | null,
  { http, https }: IngressNginx,
): string {
  const isAny = name === ANY_HOST;
  const tls =
    https === null || !(certificate || isAny)
      ? []
      : [
          `listen ${https} ssl${isAny ? ' default_server' : ''};`,
          certificate
            ? `ssl_certificate ${certificate}.crt; ssl_certificate_key ${certificate}.key;`
            : 'ssl_reject_handshake on;',
        ];
  return [
    `server { listen ${http}${isAny ? ' default_server' : ''};`,
    ...tls,
    `server_name ${isAny ? '_' : serverName(name)};`,
    ...locations(byDefault ? [...routes, byDefault] : routes),
    '}',
  ].join(' ');
}

/** A wildcard stands for one label, that of nginx for any number. */
function serverName(host: string): string {
  if (!host.startsWith('*.')) return host;
  return `"~^[^.]+${host.slice(1).replaceAll('.', '\\.')}$"`;
}

/** A path that several rules have belongs to the first of them. */
function locations(routes: readonly Route[]): readonly string[] {
  const made = new Map<string, string>();
  const add = (match: string, target: string | null) => {
    if (!made.has(match)) made.set(match, `location ${match} { ${passed(target)} }`);
  };
  for (const { path, target } of routes.filter(({ isExact }) => isExact)) {
    add(`= "${path}"`, target);
  }
  // Element by element: `/foo` and `/foo/` both match these and what is below, not `/foobar`.
  for (const { path, target } of routes.filter(({ isExact }) => !isExact)) {
    const folder = withSlash(path);
    if (folder !== '/') add(`= "${folder.slice(0, -1)}"`, target);
    add(`^~ "${folder}"`, target);
  }
  add('^~ "/"', null);
  // By default nginx redirects to a location that differs only by a slash at the end.
  for (const { path } of routes.filter((one) => one.isExact && /[^/]\/$/.test(one.path))) {
    add(`= "${path.slice(0, -1)}"`, longestPrefix(routes, path.slice(0, -1)));
  }
  return [...made.values()];
}

function longestPrefix(routes: readonly Route[], path: string): string | null {
  const matching = routes.filter(
    (one) => !one.isExact && `${path}/`.startsWith(withSlash(one.path)),
  );
  const [first] = matching.sort((a, b) => withSlash(b.path).length - withSlash(a.path).length);
  return first?.target ?? null;
}

const withSlash = (path: string): string => `${path.replace(/\/+$/, '')}/`;

function passed(target: string | null): string {
  if (target === null) return 'return 404;';
  return [
    `proxy_pass http://${target};`,
    'proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;',
    'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_of_upgrade;',
  ].join(' ');
}
