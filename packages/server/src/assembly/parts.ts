import type { ServerConfig } from '@dstack/contract';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { ServerSettings } from '../settings.ts';

/** What everything else is made from. */
export interface Parts {
  readonly settings: ServerSettings;
  readonly log: Logger;
  readonly config: ServerConfig;
  readonly store: Store;
  readonly env: NodeJS.ProcessEnv;
  readonly closing: ClosingSteps;
}

/** How to undo what was started: the last one first. */
export class ClosingSteps {
  readonly #steps: (() => unknown)[] = [];

  /** The result of `step` is awaited. */
  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}
