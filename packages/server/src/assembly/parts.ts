import type { ServerConfig } from '@dstack/contract';
import type { Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { OpenFiles } from '../process/open-files.ts';
import type { ServerSettings } from '../settings/settings.ts';

/** The basis of all other parts. */
export interface Parts {
  readonly settings: ServerSettings;
  readonly log: Logger;
  readonly config: ServerConfig;
  readonly store: Store;
  readonly env: NodeJS.ProcessEnv;
  readonly closing: ClosingSteps;
  readonly files: OpenFiles;
  /** Whether the workers of the proxy continue when this server closes. */
  readonly keepsServices: () => boolean;
}

/** Undoes what was started: the last one first. */
export class ClosingSteps {
  readonly #steps: (() => unknown)[] = [];

  /** The result of `step` is awaited. */
  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** A failing step does not prevent the others; the first failure is thrown at the end. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
