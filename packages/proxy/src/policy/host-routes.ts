/** Which service a request is for, by its host name and path. */
import { ProxyRefusal } from '../refusals/refusal.ts';

/** A service at a host name. */
export interface HostEntry {
  readonly project: string;
  readonly host: string;
  /** `/embeddings`; empty = all paths that no other service of the name has. */
  readonly path: string;
}

export interface HostMatch<T> {
  readonly service: T;
  /** The part of the path that leads to the service, as it is configured. */
  readonly prefix: string;
  /** The rest as it was sent, with the query; empty, or begins with a slash or question mark. */
  readonly rest: string;
}

interface Name<T> {
  readonly project: string;
  readonly paths: Map<string, T>;
}

export class HostRoutes<T> {
  readonly #names = new Map<string, Name<T>>();

  /** The first entry keeps its path, and its project keeps the name: the pages of a name share an origin. */
  add({ project, host, path }: HostEntry, service: T): void {
    const name = this.#names.get(host) ?? { project, paths: new Map<string, T>() };
    this.#names.set(host, name);
    if (name.project !== project || name.paths.has(path)) return;
    name.paths.set(path, service);
  }

  has(host: string): boolean {
    return this.#names.has(host);
  }

  /** Services that have a name alone, with all its paths. */
  get wholes(): Map<string, T> {
    const found = new Map<string, T>();
    for (const [host, { paths }] of this.#names) {
      const whole = paths.get('');
      if (whole !== undefined && paths.size === 1) found.set(host, whole);
    }
    return found;
  }

  /** `url`: path and query, beginning with a slash. Null: no service has this path. Throws `ProxyRefusal`. */
  find(host: string, url: string): HostMatch<T> | null {
    const paths = this.#names.get(host)?.paths;
    if (paths === undefined) return null;
    const whole = paths.get('');
    if (whole !== undefined && paths.size === 1) return { service: whole, prefix: '', rest: url };
    const [path = ''] = url.split('?', 1);
    const segments = path.split('/').slice(1);
    if (segments.some(isDots)) {
      throw new ProxyRefusal(
        400,
        `A path at ${host} must not have . or .. as a segment: services share this name`,
      );
    }
    return (
      longest(paths, segments, url) ?? (whole ? { service: whole, prefix: '', rest: url } : null)
    );
  }
}

/** The longest path of a service that the URL begins with, at the end of a segment. */
function longest<T>(
  paths: ReadonlyMap<string, T>,
  segments: readonly string[],
  url: string,
): HostMatch<T> | null {
  let found: HostMatch<T> | null = null;
  let prefix = '';
  let length = 0;
  for (const segment of segments.slice(0, DEEPEST)) {
    prefix += `/${plain(segment)}`;
    length += 1 + segment.length;
    const service = paths.get(prefix);
    if (service !== undefined) found = { service, prefix, rest: url.slice(length) };
  }
  return found;
}

/** No service has a path with more segments. */
const DEEPEST = 8;

/** An encoded character that needs no encoding means the same; an encoded slash ends no segment. */
function plain(segment: string): string {
  return segment.replace(/%[0-9a-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : code;
  });
}

const isDots = (segment: string): boolean => /^(\.|%2e){1,2}$/i.test(segment);
