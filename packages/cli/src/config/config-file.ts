import { constants } from 'node:fs';
import { access, chmod, readFile, realpath, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import type { Document } from 'yaml';
import { CliError } from '../errors.ts';
import { makeFolders } from '../files/make-folders.ts';

/** One entry of `projects:` in `~/.dstack/config.yml`. */
export interface ConfiguredProject {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly isDefault: boolean;
}

/**
 * `~/.dstack/config.yml`, which the official command line reads and writes too. Edits change only
 * the entries concerned: unknown keys and comments stay. A file that cannot be parsed is never
 * overwritten.
 */
export class ConfigFile {
  readonly path: string;
  readonly #document: Document;

  private constructor(path: string, document: Document) {
    this.path = path;
    this.#document = document;
  }

  static async load(home: string): Promise<ConfigFile> {
    const path = configPath(home);
    const { parseDocument } = await import('yaml');
    const text = await readIfThere(path).catch((error: Error) => {
      const next = 'make it a file that this user can read, or move it away';
      throw new CliError(`${path} cannot be read`, { why: error.message, next, cause: error });
    });
    const document = parseDocument(text ?? '');
    const problem = document.errors[0];
    if (problem !== undefined) {
      throw new CliError(`${path} is not valid YAML`, {
        why: problem.message.split('\n')[0]?.replace(/:$/, ''),
        next: 'correct the file, or move it away and run: dstack project add',
      });
    }
    const value: unknown = document.toJS() ?? {};
    if (!isRecord(value) || (value.projects !== undefined && !isProjectList(value.projects))) {
      throw new CliError(`${path} has an unknown form`, {
        why: '`projects` must be a list of entries with `name`, `url` and `token`',
        next: 'correct the file, or move it away and run: dstack project add',
      });
    }
    return new ConfigFile(path, document);
  }

  get projects(): ConfiguredProject[] {
    const value = this.#document.toJS() as { projects?: RawProject[] | null } | null;
    return (value?.projects ?? []).map((p) => ({
      name: String(p.name),
      url: String(p.url),
      token: String(p.token),
      isDefault: p.default === true,
    }));
  }

  find(name: string): ConfiguredProject | undefined {
    return this.projects.find((p) => p.name === name);
  }

  get default(): ConfiguredProject | undefined {
    return this.projects.find((p) => p.isDefault);
  }

  /**
   * Adds or updates an entry. A default entry stays the default, and an only entry always is the
   * default.
   */
  put(project: { name: string; url: string; token: string }, makeDefault: boolean): void {
    const known = this.find(project.name);
    const index = this.projects.findIndex((p) => p.name === project.name);
    const isDefault = makeDefault || known?.isDefault === true || this.projects.length === 0;
    if (makeDefault) this.#clearDefaults();
    if (index >= 0) {
      this.#document.setIn(['projects', index, 'url'], project.url);
      this.#document.setIn(['projects', index, 'token'], project.token);
      this.#document.setIn(['projects', index, 'default'], isDefault);
      return;
    }
    const { name, url, token } = project;
    const entry = this.#document.createNode({ default: isDefault, name, token, url });
    if (this.projects.length === 0) this.#document.set('projects', this.#document.createNode([]));
    this.#document.addIn(['projects'], entry);
  }

  setDefault(name: string): void {
    const index = this.projects.findIndex((p) => p.name === name);
    this.#clearDefaults();
    this.#document.setIn(['projects', index, 'default'], true);
  }

  remove(name: string): boolean {
    const index = this.projects.findIndex((p) => p.name === name);
    if (index < 0) return false;
    this.#document.deleteIn(['projects', index]);
    return true;
  }

  /**
   * Writes by renaming, so that no reader sees a partial file. Only the owner may read the file.
   */
  async save(): Promise<void> {
    try {
      await this.#write();
    } catch (error) {
      throw new CliError(`${this.path} cannot be written`, {
        why: errorMessage(error),
        next: 'let this user write there, or set HOME to a folder where it can',
        cause: error,
      });
    }
  }

  async #write(): Promise<void> {
    await makeFolders(dirname(this.path));
    const target = await realpath(this.path).catch(() => this.path);
    const temporary = `${target}.${process.pid}.tmp`;
    await writeFile(temporary, this.#document.toString(), { mode: 0o600 });
    await chmod(temporary, 0o600);
    await rename(temporary, target);
  }

  #clearDefaults(): void {
    this.projects.forEach((project, index) => {
      if (project.isDefault) this.#document.setIn(['projects', index, 'default'], false);
    });
  }
}

interface RawProject {
  readonly name: unknown;
  readonly url: unknown;
  readonly token: unknown;
  readonly default?: unknown;
}

export function configPath(home: string): string {
  return join(home, '.dstack', 'config.yml');
}

/** The file's text, or null if there is no such file. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    await access(path, constants.F_OK);
  } catch {
    // The file is missing, or its directory may not be entered: both count as "no such file".
    return null;
  }
  return readFile(path, 'utf8');
}

function isProjectList(value: unknown): boolean {
  if (value === null) return true;
  if (!Array.isArray(value)) return false;
  return value.every(
    (p: unknown) =>
      isRecord(p) && p.name !== undefined && p.url !== undefined && p.token !== undefined,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
