import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cliReference, jsonReference } from './cli-reference.ts';
import { helmReference } from './helm-reference.ts';
import { httpReference } from './http-reference.ts';
import {
  configurationReference,
  profilesReference,
  serverConfigReference,
} from './schema-reference.ts';

/** The pages that are generated, by name. They are never written by hand, so that they cannot be wrong. */
export async function references(): Promise<Readonly<Record<string, string>>> {
  return {
    configurations: configurationReference(),
    profiles: profilesReference(),
    'server-config': serverConfigReference(),
    cli: await cliReference(),
    json: await jsonReference(),
    'http-api': httpReference(),
    helm: helmReference(),
  };
}

export async function writeReferences(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(await references())) {
    await writeFile(join(folder, `${name}.md`), text);
  }
}
