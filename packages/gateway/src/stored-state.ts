/** State that a gateway keeps on its disk, so that it serves after a restart without the server. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayCommand, GatewayPem, GatewaySettings } from '@dstack/contract/agent';
import type { KeptGrant } from '@dstack/proxy';

export type SentServices = Extract<GatewayCommand, { type: 'services' }>;

interface Files {
  readonly settings: { readonly settings: GatewaySettings; readonly certificates: GatewayPem[] };
  readonly services: SentServices;
  /** Those whom the server has admitted. An earlier version stored them in another form. */
  readonly callers: readonly KeptGrant[];
  /** Why nginx answers no requests itself, as it was reported to the server. */
  readonly 'not-plain': { readonly reported: string };
}

/** Changes within this time are written once, in milliseconds. */
const SOON_MS = 200;
/** The longest pause between attempts to write to a disk that refuses it, in milliseconds. */
const LONGEST_MS = 60_000;

export class StoredState {
  readonly #dir: string;
  readonly #pending = new Map<string, unknown>();
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  read<K extends keyof Files>(name: K): Files[K] | null {
    try {
      return JSON.parse(readFileSync(this.#path(name), 'utf8')) as Files[K];
    } catch {
      // Not written yet, or by a process that was killed before its first one.
      return null;
    }
  }

  write<K extends keyof Files>(name: K, value: Files[K]): void {
    this.#pending.set(name, value);
    this.#timer ??= setTimeout(() => this.flush(), SOON_MS);
  }

  /** Writes all that is pending. If the disk is full, the gateway goes on, and writes it later. */
  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const [name, value] of this.#pending) {
      const path = this.#path(name);
      try {
        writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
        renameSync(`${path}.new`, path);
        this.#pending.delete(name);
      } catch {
        this.#later();
      }
    }
    if (this.#pending.size === 0) this.#failures = 0;
  }

  #later(): void {
    if (this.#timer !== null) return;
    this.#failures += 1;
    const pause = Math.min(SOON_MS * 2 ** this.#failures, LONGEST_MS);
    this.#timer = setTimeout(() => this.flush(), pause).unref();
  }

  remove(name: keyof Files): void {
    this.#pending.delete(name);
    rmSync(this.#path(name), { force: true });
  }

  #path(name: string): string {
    return join(this.#dir, `${name}.json`);
  }
}

/** One service was added, changed or removed. */
export function withService(
  sent: SentServices,
  { run_id, service }: Extract<GatewayCommand, { type: 'service' }>,
): SentServices {
  const others = sent.services.filter((one) => one.run_id !== run_id);
  const models = { ...sent.models };
  if (service)
    models[`gateway${service.host.slice(service.host.indexOf('.'))}`] ??= service.project;
  return { ...sent, services: service ? [...others, service] : others, models };
}
