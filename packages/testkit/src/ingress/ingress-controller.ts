/**
 * An Ingress controller for tests: nginx of this computer in the network of a node, with the rules of all
 * Ingress objects of one class. It makes the rules again whenever one of the objects changes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type IngressNginx, nginxConfiguration } from './ingress-nginx.ts';
import type { IngressObjects } from './ingress-objects.ts';

export interface IngressControllerOptions {
  /** The address of the API server, which needs no credentials there. */
  readonly api: string;
  readonly className: string;
  /** Where it listens, and the network namespace that has this address. */
  readonly address: string;
  readonly namespace: string;
}

const KINDS = {
  ingresses: '/apis/networking.k8s.io/v1/ingresses',
  services: '/api/v1/services',
  secrets: '/api/v1/secrets',
} as const;
/** The pause before a failed call is repeated, in milliseconds. */
const PAUSE = 200;
const WATCH_SECONDS = 60;
/** The limit of a start of nginx, in milliseconds, which only failures reach. */
const LISTEN_LIMIT = 30_000;

/** Resolves once nginx listens. */
export async function startIngressController(
  options: IngressControllerOptions,
): Promise<AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'ingress-'));
  const { className, address, namespace, api } = options;
  const nginx = new Nginx({ className, http: `${address}:80`, https: `${address}:443`, folder });
  const ended = new AbortController();
  nginx.write({ ingresses: [], services: [], secrets: [] });
  const process = nginx.start(['nsenter', `--net=/run/netns/${namespace}`]);
  await listens(address, 80);
  const following = follow(api, ended.signal, (objects) => nginx.write(objects));
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await following;
      process.kill('SIGTERM');
      await once(process, 'close');
      rmSync(folder, { recursive: true });
    },
  };
}

/** nginx with the rules of Ingress objects. */
export class Nginx {
  readonly #options: IngressNginx;
  #process: ChildProcess | null = null;
  #written = '';

  constructor(options: IngressNginx) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  write(objects: IngressObjects): void {
    const text = nginxConfiguration(objects, this.#options);
    // Certificates may have changed, whose contents the text does not contain.
    const all = `${text}${JSON.stringify(objects.secrets)}`;
    if (all === this.#written) return;
    this.#written = all;
    writeFileSync(this.#file, text);
    this.#process?.kill('SIGHUP');
  }

  /** `before`: a program that starts it elsewhere, in its own place. */
  start(before: readonly string[] = []): ChildProcess {
    const { folder } = this.#options;
    const argv = [...before, '/usr/sbin/nginx', '-c', this.#file, '-p', folder];
    const [program = '', ...args] = argv;
    this.#process = spawn(program, args, { stdio: 'ignore' });
    return this.#process;
  }

  get #file(): string {
    return join(this.#options.folder, 'nginx.conf');
  }
}

/** Rejects if nothing listens in time. */
export async function listens(host: string, port: number): Promise<void> {
  for (const limit = Date.now() + LISTEN_LIMIT; ; await delay(PAUSE)) {
    const socket = connect(port, host);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (Date.now() > limit) throw new Error(`nginx does not listen at ${host}:${port}`);
  }
}

interface List {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly never[];
}

async function follow(
  api: string,
  ended: AbortSignal,
  write: (objects: IngressObjects) => void,
): Promise<void> {
  while (!ended.aborted) {
    try {
      const kinds = Object.entries(KINDS);
      const lists = await Promise.all(kinds.map(([, path]) => list(`${api}${path}`, ended)));
      const items = kinds.map(([kind], at) => [kind, lists[at]?.items ?? []]);
      write(Object.fromEntries(items) as IngressObjects);
      const watches = kinds.map(([, path], at) => {
        const from = lists[at]?.metadata.resourceVersion ?? '';
        const query = `watch=1&resourceVersion=${from}&timeoutSeconds=${WATCH_SECONDS}`;
        return `${api}${path}?${query}`;
      });
      await firstEvent(watches, ended);
    } catch {
      // The API server is away, or an answer was cut off; everything is read again.
      if (!ended.aborted) await delay(PAUSE);
    }
  }
}

async function list(url: string, signal: AbortSignal): Promise<List> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return (await response.json()) as List;
}

/** Resolves with the first event of one of these watches, or its end. */
async function firstEvent(urls: readonly string[], ended: AbortSignal): Promise<void> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, ended]);
  const watches = urls.map(async (url) => {
    const response = await fetch(url, { signal });
    await response.body?.getReader().read();
  });
  try {
    await Promise.race(watches);
  } finally {
    done.abort();
    await Promise.allSettled(watches);
  }
}
