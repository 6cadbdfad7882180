/** Control of a simulated provider by a test, while a server uses it. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import type { SimKnobs } from '@dstack/contract';
import { fileTables, historyOf } from './file-tables.ts';
import { controlPath } from './knobs.ts';
import type { SimAttachment, SimMachine, SimVolume } from './tables.ts';

export interface SimControl {
  /** Replaces the knobs that were set before; none = as configured. */
  set(knobs: Partial<SimKnobs>): void;
  machines(): readonly SimMachine[];
  /** Machines that were ordered (`+<id>`) and have ended (`-<id>`) so far, in order. */
  history(): readonly string[];
  /** Ids of machines whose release was requested and is not finished. */
  releasing(): readonly string[];
  volumes(): readonly SimVolume[];
  attachments(): readonly SimAttachment[];
  /** Reclaims a machine, as providers do with spot instances. */
  interrupt(id: string, text: string): void;
}

export function simControl(dir: string): SimControl {
  const tables = fileTables(dir);
  return {
    set(knobs) {
      mkdirSync(dir, { recursive: true });
      const draft = `${controlPath(dir)}.draft`;
      writeFileSync(draft, JSON.stringify(knobs));
      renameSync(draft, controlPath(dir));
    },
    machines: () => tables.machines.all(),
    history: () => historyOf(dir),
    releasing: () => tables.releases.all().map(({ id }) => id),
    volumes: () => tables.volumes.all(),
    attachments: () => tables.attachments.all(),
    interrupt: (id, text) => void tables.interruptions.add({ id, text }),
  };
}
