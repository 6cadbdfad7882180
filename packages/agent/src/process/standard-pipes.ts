import { execFile } from 'node:child_process';
import { chownSync, closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK } = constants;

/** Standard input, output and error of a process to be started. */
export interface StandardPipes {
  /** For `stdio` of `spawn`; call `started` right after. */
  readonly child: readonly [number, number, number];
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Closes the child's ends in this process; otherwise no reader would ever see the end. */
  started(): void;
}

/**
 * Real pipes, as OpenSSH creates them. Node creates sockets for its children, which cannot be
 * opened by name, so that `echo x > /dev/stderr` fails. The pipes belong to `uid`, which may differ
 * from the agent's. Null: this file system has no `mkfifo`, or no place for temporary files, as
 * in minimal images.
 */
export async function openStandardPipes(uid: number): Promise<StandardPipes | null> {
  const dir = temporaryDirectory();
  if (dir === null) return null;
  try {
    const paths = ['0', '1', '2'].map((name) => join(dir, name));
    if (!(await makePipes(paths))) return null;
    if (uid !== process.getuid?.()) for (const path of paths) chownSync(path, uid, -1);
    const [input = '', output = '', error = ''] = paths;
    const [stdin, childIn] = openInput(input);
    const [stdout, childOut] = openOutput(output);
    const [stderr, childError] = openOutput(error);
    const child = [childIn, childOut, childError] as const;
    const started = () => {
      for (const fd of child) closeSync(fd);
    };
    return { child, stdin, stdout, stderr, started };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function temporaryDirectory(): string | null {
  try {
    return mkdtempSync(join(tmpdir(), 'dstack-pipes-'));
  } catch {
    return null;
  }
}

async function makePipes(paths: readonly string[]): Promise<boolean> {
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
    return true;
  } catch {
    return false;
  }
}

/**
 * A FIFO opens without waiting only if its other side is open. The child's end must not be
 * non-blocking.
 */
function openInput(path: string): [Socket, number] {
  const both = openSync(path, O_RDWR | O_NONBLOCK);
  const child = openSync(path, O_RDONLY);
  const ours = openSync(path, O_WRONLY | O_NONBLOCK);
  closeSync(both);
  return [new Socket({ fd: ours, readable: false, writable: true }), child];
}

function openOutput(path: string): [Socket, number] {
  const ours = openSync(path, O_RDONLY | O_NONBLOCK);
  const child = openSync(path, O_WRONLY);
  return [new Socket({ fd: ours, readable: true, writable: false }), child];
}
