/** A program in place of Apptainer, which cannot be had everywhere: it reports what its container would have. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./apptainer/apptainer-program.ts', import.meta.url));

/** The container that the fake would have started, which it prints as one line of JSON. */
export interface FakeContainer {
  readonly image: string;
  readonly argv: readonly string[];
  /** Names of the switches, sorted. */
  readonly options: readonly string[];
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly option: string;
  }[];
  readonly env: Readonly<Record<string, string>>;
  /** The credentials for the registry of the image; null = there are none. */
  readonly login: { readonly user: string; readonly password: string } | null;
}

/** Writes `apptainer` into a folder; returns its path. */
export function writeFakeApptainer(dir: string): string {
  const path = join(dir, 'apptainer');
  const script = `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}
