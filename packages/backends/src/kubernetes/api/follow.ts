/** A collection of objects that is kept up to date by watching it. */
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, type KubeClient, VERSION_EXPIRED } from './client.ts';
import type { KubeList, KubeObject } from './objects.ts';

export interface FollowOptions<O extends KubeObject, T> {
  readonly client: KubeClient;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The kept part of an object; null = the object does not count. */
  readonly keep: (object: O) => T | null;
  /** An object has appeared, changed or disappeared (`now` null). */
  readonly onChange?: (id: string, now: T | null) => void;
  readonly onError?: (error: unknown) => void;
}

interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { readonly code?: number };
}

const PAGE = 500;
/** The API server ends a watch after this time; a watch that is silent for longer is dead. */
const WATCH_SECONDS = 240;
const GRACE_MS = 30_000;
const MIN_WATCH_MS = 1000;
const MIN_DELAY_MS = 200;
/** An API server that is away; one that refuses the call is asked more rarely. */
const MAX_DELAY_MS = 4000;
const MAX_DELAY_REFUSED_MS = 30_000;

/** Lists once, then follows the changes, for ever; lists again after a gap. */
export class Follow<O extends KubeObject, T> {
  readonly #options: FollowOptions<O, T>;
  readonly #items = new Map<string, T>();
  readonly #end = new AbortController();
  #first = Promise.withResolvers<void>();
  #isCurrent = false;
  #attempt = 0;
  /** The reason why the objects may be out of date; null = they are current. */
  #error: unknown = null;

  constructor(options: FollowOptions<O, T>) {
    this.#options = options;
    this.#first.promise.catch(() => {});
    void this.#run();
  }

  /** By namespace and name. */
  get items(): ReadonlyMap<string, T> {
    return this.#items;
  }

  /** Whether a watch is open: a missing object does not exist, or was created just now. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Resolves when the first list is complete; rejects with the error of an attempt that failed. */
  async ready(): Promise<void> {
    await this.#first.promise;
  }

  get error(): unknown {
    return this.#error;
  }

  close(): void {
    this.#end.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      let most = MAX_DELAY_MS;
      try {
        let version = await this.#list();
        this.#first.resolve();
        for (;;) version = await this.#watch(version);
      } catch (error) {
        this.#isCurrent = false;
        if (signal.aborted) return;
        const isGap = error instanceof ApiError && error.status === VERSION_EXPIRED;
        if (!isGap) this.#failed(error);
        if (isRefusal(error)) most = MAX_DELAY_REFUSED_MS;
      }
      const ceiling = Math.min(most, MIN_DELAY_MS * 2 ** this.#attempt++);
      await delay(ceiling * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(
        () => {},
      );
    }
  }

  #failed(error: unknown): void {
    this.#error = error;
    this.#options.onError?.(error);
    this.#first.reject(error);
    // Callers after this failure wait for the next attempt.
    this.#first = Promise.withResolvers();
    this.#first.promise.catch(() => {});
  }

  async #list(): Promise<string> {
    const { client, path, query, keep, onChange } = this.#options;
    const found = new Map<string, T>();
    let next: string | undefined;
    let version = '';
    do {
      const page: KubeList<O> = await client.call({
        path,
        query: { ...query, limit: PAGE, continue: next },
      });
      for (const object of page.items) {
        const kept = keep(object);
        if (kept !== null) found.set(idOf(object), kept);
      }
      next = page.metadata.continue || undefined;
      version = page.metadata.resourceVersion ?? '';
    } while (next !== undefined);
    const before = [...this.#items.keys()];
    for (const id of before.filter((each) => !found.has(each))) {
      this.#items.delete(id);
      onChange?.(id, null);
    }
    for (const [id, kept] of found) {
      this.#items.set(id, kept);
      onChange?.(id, kept);
    }
    this.#error = null;
    return version;
  }

  /** Returns the version to go on from, when the API server has ended the watch. */
  async #watch(from: string): Promise<string> {
    const { client, path, query } = this.#options;
    const limit = AbortSignal.timeout(WATCH_SECONDS * 1000 + GRACE_MS);
    const signal = AbortSignal.any([this.#end.signal, limit]);
    const call = {
      path,
      query: {
        ...query,
        ...{ watch: 1, allowWatchBookmarks: true },
        ...{ resourceVersion: from, timeoutSeconds: WATCH_SECONDS },
      },
    };
    const body = await client.stream(call, signal);
    this.#isCurrent = true;
    let version = from;
    this.#attempt = 0;
    const since = performance.now();
    for await (const line of lines(body)) {
      const { type, object } = JSON.parse(line) as WatchLine;
      if (type === 'ERROR') throw new ApiError(object.code ?? 0, '', 'the watch has ended');
      version = object.metadata.resourceVersion ?? version;
      if (type !== 'BOOKMARK') this.#changed(object as O, type === 'DELETED');
    }
    // An API server that is being stopped may end watches at once.
    if (performance.now() - since < MIN_WATCH_MS) throw new Error('the watch was ended at once');
    return version;
  }

  #changed(object: O, isDeleted: boolean): void {
    const { keep, onChange } = this.#options;
    const id = idOf(object);
    const kept = isDeleted ? null : keep(object);
    if (kept !== null) this.#items.set(id, kept);
    else if (!this.#items.delete(id)) return;
    onChange?.(id, kept);
  }
}

/** The API server has answered, so that it is asked again in vain until a person changes something. */
const isRefusal = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500;

export function idOf({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}

async function* lines(body: Readable): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((part) => part !== '');
  }
}
