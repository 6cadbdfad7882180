import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage } from '@dstack/contract/error-message';
import type { Arch } from '../hosts/ssh/libraries.ts';
import { Programs } from '../hosts/ssh/programs.ts';
import { assets } from '../process/assets.ts';
import { StartError } from '../process/start-error.ts';
import { agentImage } from './agent-image.ts';

export interface WriteAgentImage {
  readonly file: string;
  readonly arch: Arch;
  readonly name: string;
}

/** Rejects with a `StartError`. */
export async function writeAgentImage({ file, arch, name }: WriteAgentImage): Promise<void> {
  const cacheDir = await mkdtemp(join(tmpdir(), 'dstack-image-'));
  try {
    const programs = new Programs({ agentDir: assets.agentBundle, cacheDir });
    await writeFile(file, await agentImage(programs, { arch, name }));
  } catch (error) {
    throw new StartError(`The image was not written: ${errorMessage(error)}`, { cause: error });
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}
