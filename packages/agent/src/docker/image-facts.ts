import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { writeDurably } from '../host/durable-file.ts';
import { existsInContainer, readContainerFile } from './container-files.ts';

/** The files and settings of an image that the start of a job depends on. */
export interface ImageFacts {
  readonly id: string;
  readonly user: string;
  readonly workingDir: string;
  readonly env: readonly string[];
  /** Whether the image has an entrypoint or a command. */
  readonly hasCommand: boolean;
  readonly passwd: string;
  readonly group: string;
  /** Text of `/etc/profile`, null when there is none. */
  readonly profile: string | null;
}

type ImageFiles = Pick<ImageFacts, 'passwd' | 'group' | 'profile'>;

/**
 * Reads images without running them, by a container that is created, read and removed. An image's
 * id stands for its content, so the result is cached for ever.
 */
export class ImageFactsReader {
  readonly #docker: Docker;
  readonly #cacheDir: string;
  readonly #labels: Readonly<Record<string, string>>;

  /**
   * `labels` of these containers; by them an agent finds the ones that a killed predecessor has
   * left.
   */
  constructor(docker: Docker, cacheDir: string, labels: Readonly<Record<string, string>>) {
    this.#docker = docker;
    this.#cacheDir = cacheDir;
    this.#labels = labels;
    mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  }

  async read(reference: string): Promise<ImageFacts> {
    const { Id, Config } = await this.#docker.getImage(reference).inspect();
    const entrypoint = [Config.Entrypoint ?? []].flat();
    return {
      id: Id,
      user: Config.User ?? '',
      workingDir: Config.WorkingDir || '/',
      env: Config.Env ?? [],
      hasCommand: entrypoint.length > 0 || (Config.Cmd ?? []).length > 0,
      ...(await this.#files(Id)),
    };
  }

  async #files(id: string): Promise<ImageFiles> {
    const cached = join(this.#cacheDir, `${id.replace(':', '-')}.json`);
    if (existsSync(cached)) return JSON.parse(readFileSync(cached, 'utf8'));
    const files = await this.#probe(id);
    writeDurably(cached, JSON.stringify(files));
    return files;
  }

  /** Whether a path exists in an image. */
  has(id: string, path: string): Promise<boolean> {
    return this.#withProbe(id, (container) => existsInContainer(container, path));
  }

  #probe(id: string): Promise<ImageFiles> {
    return this.#withProbe(id, async (container) => ({
      passwd: (await readContainerFile(container, '/etc/passwd')) ?? '',
      group: (await readContainerFile(container, '/etc/group')) ?? '',
      profile: await readContainerFile(container, '/etc/profile'),
    }));
  }

  async #withProbe<T>(id: string, look: (container: Docker.Container) => Promise<T>): Promise<T> {
    const name = `dstack-probe-${randomUUID()}`;
    const container = await this.#docker.createContainer({
      ...{ name, Image: id, Cmd: ['none'], Labels: { ...this.#labels } },
    });
    try {
      return await look(container);
    } finally {
      await container.remove({ force: true, v: true });
    }
  }
}
