/** Runs a command in a container, with input of known length. */
import type { Readable } from 'node:stream';
import { BackendError } from '../../base/errors.ts';
import { bytesOf, opened } from './channel-socket.ts';
import type { KubeClient } from './client.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const STDIN = 0;
const STDERR = 2;
const STATUS = 3;
/** Time for 50 MB over a slow line. */
const LIMIT_MS = 10 * 60_000;
const HIGH_WATER = 1024 * 1024;
const MAX_ERROR = 2000;

export interface ExecTarget {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** Throws `BackendError` with the command's standard error. The command has to know the length. */
export async function execWithInput(
  target: ExecTarget,
  command: readonly string[],
  input: Readable,
): Promise<void> {
  try {
    await exec(target, command, input);
  } finally {
    // Also of a connection that never came.
    input.destroy();
  }
}

async function exec(
  { client, namespace, pod, container }: ExecTarget,
  command: readonly string[],
  input: Readable,
): Promise<void> {
  const what = `exec in pod ${pod}`;
  const query = [
    ...command.map((part) => ['command', part] as const),
    ...[['container', container] as const],
    ...(['stdin', 'stdout', 'stderr'] as const).map((name) => [name, '1'] as const),
  ];
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/exec`;
  const socket = await client.socket(path, query, [PROTOCOL]);
  let stderr = '';
  let failure: string | null = 'it ended without a status';
  const ended = new Promise<void>((resolve) => {
    socket.on('message', (message) => {
      const bytes = bytesOf(message);
      if (bytes[0] === STDERR) stderr = `${stderr}${bytes.subarray(1)}`.slice(-MAX_ERROR);
      if (bytes[0] !== STATUS) return;
      failure = failureOf(bytes.subarray(1).toString('utf8'));
      // Input that the command does not read any more would delay the end.
      socket.terminate();
    });
    socket.on('close', () => resolve());
  });
  await opened(socket, what);
  socket.on('error', (error) => {
    failure = error.message;
  });
  const limit = setTimeout(() => socket.terminate(), LIMIT_MS);
  sendAll().catch((error: Error) => {
    failure = error.message;
    socket.terminate();
  });
  await ended;
  clearTimeout(limit);
  if (failure !== null) throw new BackendError(`${what}: ${stderr.trim() || failure}`);

  async function sendAll(): Promise<void> {
    for await (const chunk of input) {
      if (socket.readyState !== socket.OPEN) return;
      const message = Buffer.concat([Buffer.of(STDIN), chunk as Buffer]);
      await new Promise<void>((done) => {
        socket.send(message, () => done());
        if (socket.bufferedAmount < HIGH_WATER) done();
      });
    }
  }
}

function failureOf(text: string): string | null {
  const { status, message } = JSON.parse(text) as { status?: string; message?: string };
  return status === 'Success' ? null : (message ?? 'it failed');
}
