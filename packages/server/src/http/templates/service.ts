/** Run templates of a project, from its own repository or the server's. */
import { setImmediate } from 'node:timers/promises';
import { readForeignYaml } from '@dstack/contract';
import { UITemplate } from '@dstack/contract/wire';
import type { Logger } from '../../process/logging.ts';
import type { TemplateSource } from './git-templates.ts';

/** How long a repository's answer is cached, in µs (dstack 0.22.5). */
const TTL = 180_000_000;

export interface TemplateCacheOptions {
  readonly source: TemplateSource;
  readonly now: () => number;
  readonly log: Logger;
}

/**
 * Caches the templates of repositories, and failures: a broken repository is read once per `TTL`.
 */
export class TemplateCache {
  readonly #options: TemplateCacheOptions;
  readonly #known = new Map<
    string,
    { readonly at: number; readonly templates: Promise<UITemplate[]> }
  >();

  constructor(options: TemplateCacheOptions) {
    this.#options = options;
  }

  /** Never throws: a repository that cannot be read has no templates. */
  list(url: string): Promise<UITemplate[]> {
    const now = this.#options.now();
    for (const [other, { at }] of this.#known) if (now - at >= TTL) this.#known.delete(other);
    const known = this.#known.get(url);
    if (known) return known.templates;
    const templates = this.#read(url);
    this.#known.set(url, { at: now, templates });
    return templates;
  }

  async #read(url: string): Promise<UITemplate[]> {
    const { source, log } = this.#options;
    try {
      const templates: UITemplate[] = [];
      for (const text of await source.read(url)) {
        templates.push(...templateOf(text));
        // Parsing one takes milliseconds; other requests must not wait for all.
        await setImmediate();
      }
      return templates;
    } catch (error) {
      log.warn({ err: error }, 'templates could not be read');
      return [];
    }
  }
}

/** Empty if the file is not a template: the folder may contain other files. */
function templateOf(text: string): UITemplate[] {
  const document = readForeignYaml(text);
  const parsed = UITemplate.safeParse(document.ok ? document.value : null);
  return parsed.success ? [parsed.data] : [];
}
