import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellQuote } from '@dstack/contract/shell';

/**
 * A machine with devices and vendor tools that this computer does not have, for programs started in
 * their own mount namespace. Every device node is the null device under another name.
 */
export class FakeMachine {
  readonly dir = mkdtempSync(join(tmpdir(), 'machine-'));
  readonly #devices: readonly string[];

  /** `devices`: paths below `/dev`, to be created as device nodes of group 110. */
  constructor(devices: readonly string[], tools: Readonly<Record<string, string>> = {}) {
    this.#devices = devices;
    mkdirSync(join(this.dir, 'bin'));
    mkdirSync(join(this.dir, 'dev'));
    for (const [name, script] of Object.entries(tools)) this.tool(name, script);
  }

  /** Adds a program to the machine's PATH, or replaces it at once. */
  tool(name: string, script: string): void {
    const path = join(this.dir, 'bin', name);
    const next = join(this.dir, `next-${name}`);
    writeFileSync(next, `#!/bin/sh\n${script}\n`);
    chmodSync(next, 0o755);
    renameSync(next, path);
  }

  /** Shell lines that turn their mount namespace into the fake machine. */
  get prepare(): string {
    const dev = join(this.dir, 'dev');
    const nodes = this.#devices.map((path) => {
      const node = join(dev, path);
      return `mkdir -p $(dirname ${node}) && mknod ${node} c 1 3 && chgrp 110 ${node} && chmod 660 ${node}`;
    });
    return [
      'set -e',
      `mount -t tmpfs -o mode=755 dev ${dev}`,
      `(cd /dev && cp -a null zero full random urandom tty ptmx fd stdin stdout stderr ${dev})`,
      ...['pts', 'shm'].map(
        (name) => `mkdir ${dev}/${name} && mount --rbind /dev/${name} ${dev}/${name}`,
      ),
      ...nodes,
      `mount --move ${dev} /dev`,
      `export PATH=${join(this.dir, 'bin')}:$PATH`,
      'set +e',
    ].join('; ');
  }

  /** The arguments before a command that make it run on the fake machine. */
  get around(): readonly string[] {
    return ['unshare', '--mount', 'sh', '-c', `${this.prepare}; exec "$@"`, 'machine'];
  }

  /** Path of a program that runs another one on the fake machine, with its own arguments. */
  wrap(program: string): string {
    const enter = join(this.dir, 'enter');
    writeFileSync(enter, `${this.prepare}; exec "$@"\n`);
    const path = join(this.dir, 'wrapped');
    writeFileSync(
      path,
      `#!/bin/sh\nexec unshare --mount sh ${shellQuote(enter)} ${shellQuote(program)} "$@"\n`,
    );
    chmodSync(path, 0o755);
    return path;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A script in the place of `nvidia-smi`: GPUs by their UUID, and whether each still answers. */
export function nvidiaSmi(gpus: Readonly<Record<string, 'works' | 'lost'>>): string {
  const rows = Object.entries(gpus).map(([uuid, state], index) => {
    const value = (text: string) => (state === 'lost' ? '[GPU is lost]' : text);
    return {
      facts: `NVIDIA A10G, 23028, ${uuid}, 550.54`,
      health: [index, uuid, `00000000:0${index}:00.0`, value('31'), value('0'), 'No', 'No', 'No'],
    };
  });
  return [
    'case "$*" in',
    `*--query-gpu=name,*) cat <<'END'\n${rows.map((row) => row.facts).join('\n')}\nEND\n;;`,
    `*--query-gpu=index,*) cat <<'END'\n${rows.map((row) => row.health.join(', ')).join('\n')}\nEND\n;;`,
    'esac',
  ].join('\n');
}
