/** Moto, a server that stands in for AWS; not written here. Needs a Python with `moto[server]`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../free-port.ts';
import { type PythonEnvironment, pythonEnvironment } from '../../python-environment.ts';
import { motoImages } from './images.ts';

const REQUIREMENT = 'moto[server]==5.2.5';

export interface Moto {
  readonly url: string;
  /** Empties it, in milliseconds. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Installs it unless an earlier run has done so: 300 MB. */
export function motoEnvironment(): PythonEnvironment {
  return pythonEnvironment(REQUIREMENT, 'moto/5.2.5');
}

/** Resolves when it answers. `environment`: of `motoEnvironment`. */
export async function startMoto(environment: string): Promise<Moto> {
  const dir = mkdtempSync(join(tmpdir(), 'moto-'));
  const images = join(dir, 'images.json');
  writeFileSync(images, motoImages());
  const port = await freePort();
  const program = join(environment, 'bin', 'moto_server');
  // Types, images and key pairs are checked as the real service does.
  const checks = {
    MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: '1',
    MOTO_ENABLE_AMI_VALIDATION: '1',
    MOTO_ENABLE_KEYPAIR_VALIDATION: '1',
    MOTO_AMIS_PATH: images,
  };
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], {
    env: { ...process.env, ...checks },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  const listening = Promise.withResolvers<void>();
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed += chunk;
    if (printed.includes('Running on')) listening.resolve();
  });
  void ended.then(() => listening.reject(new Error(`moto ended: ${printed}`)));
  await listening.promise;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    reset: async () => void (await fetch(`${url}/moto-api/reset`, { method: 'POST' })),
    close: async () => {
      child.kill();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
