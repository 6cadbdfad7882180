/**
 * Real containers for the machines of simulated container clouds: one host of the yard has the Docker daemon that starts
 * them, with the image, program and environment that were ordered. Nothing can be reached inside from outside.
 */
import { join } from 'node:path';
import Docker from 'dockerode';
import type { HostContainer, VmHostOrder, VmHosts } from '../hosts.ts';
import type { Yard } from '../yard/yard.ts';

/** Lines of the output of a container that has ended. */
const TAIL = 20;
const NODE = 'pods';

export interface Pods extends VmHosts {
  /** Runs a command as root in a container; rejects if it fails. */
  exec(id: string, command: string): Promise<string>;
  /** The output of its first process so far. */
  output(id: string): Promise<string>;
  /** Ends all containers. */
  close(): Promise<void>;
}

/** `yard`: with Docker. */
export async function startPods(yard: Yard): Promise<Pods> {
  await yard.boot({
    ...{ id: NODE, name: NODE, loginUser: 'root', authorizedKeys: [], userData: null },
    ...{ hasSshd: true, reusesAddress: false, metadata: null },
  });
  const number = await yard.numberOf(NODE);
  const socketPath = join(yard.dir, 'base', String(number), 'run', 'docker.sock');
  return new DockerPods(new Docker({ socketPath }), yard);
}

class DockerPods implements Pods {
  readonly #docker: Docker;
  readonly #yard: Yard;
  readonly #started = new Map<string, Promise<string>>();

  constructor(docker: Docker, yard: Yard) {
    this.#docker = docker;
    this.#yard = yard;
  }

  boot(order: VmHostOrder): Promise<string> {
    const started = this.#start(order);
    this.#started.set(order.id, started);
    return started;
  }

  async #start({ id, container = null, onExit }: VmHostOrder): Promise<string> {
    if (container === null) throw new Error(`machine ${id} is no container`);
    await this.#pull(container);
    const made = await this.#docker.createContainer({
      ...{ name: id, Image: container.image, Cmd: [...container.command] },
      ...(container.entrypoint.length > 0 && { Entrypoint: [...container.entrypoint] }),
      Env: Object.entries(container.environment).map(([name, value]) => `${name}=${value}`),
      HostConfig: {
        Binds: container.volumes.map((one) => `${one.id}:${one.path}`),
        NetworkMode: 'bridge',
      },
    });
    await made.start();
    // Fails once it was removed.
    made
      .wait()
      .then(async () => onExit?.(await this.output(id)))
      .catch(() => {});
    const { NetworkSettings } = await made.inspect();
    return NetworkSettings.Networks.bridge?.IPAddress ?? '';
  }

  async #pull({ image, registryAuth }: HostContainer): Promise<void> {
    const authconfig = registryAuth && { ...registryAuth, serveraddress: image.split('/')[0] };
    const stream = await this.#docker.pull(image, authconfig === null ? {} : { authconfig });
    await new Promise<void>((resolve, reject) => {
      this.#docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
    });
  }

  async end(id: string): Promise<void> {
    await this.#started.get(id)?.catch(() => {});
    this.#started.delete(id);
    await this.#docker
      .getContainer(id)
      .remove({ force: true, v: true })
      .catch((error: { readonly statusCode?: number }) => {
        if (error.statusCode !== 404) throw error;
      });
  }

  async reboot(id: string): Promise<void> {
    await this.#docker.getContainer(id).restart({ t: 0 });
  }

  async output(id: string): Promise<string> {
    const logs = await this.#docker
      .getContainer(id)
      .logs({ stdout: true, stderr: true, tail: TAIL, follow: false });
    return withoutHeaders(logs);
  }

  async exec(id: string, command: string): Promise<string> {
    return await this.#yard.exec(NODE, `docker exec ${id} ${command}`);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#started.keys()].map((id) => this.end(id)));
    await this.#yard.end(NODE);
  }
}

/** Each part of the output has a header of eight bytes, the last four of which are its length. */
function withoutHeaders(logs: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= logs.length; ) {
    const length = logs.readUInt32BE(at + 4);
    text += logs.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
