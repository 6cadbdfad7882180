import type { Duplex } from 'node:stream';
import type { Id } from '@dstack/core';
import {
  authenticate,
  isOutputService,
  type JobOutput,
  OutputService,
  type PublicKey,
  refuseChannel,
  serveOverStream,
} from '@dstack/ssh';
import type { JobView } from '@dstack/store';
import type { LogStore, LogStreamRef } from '../logs/log-store.ts';

export interface EndedJobServerOptions {
  readonly logs: Pick<LogStore, 'length' | 'readRaw' | 'readTimes'>;
  readonly hostKeyPem: string;
  /** The key, if it opens the job. */
  readonly find: (jobId: Id, blob: Buffer) => Promise<PublicKey | null>;
  /** Channels of one connection. */
  readonly channels: number;
}

const ENDED = 'the job has ended: only its output can be read';
const MICROS_PER_MS = 1000;

/**
 * The SSH server of a job whose container has ended. Official clients look at a run every few seconds, so
 * they attach to a short one after its end, to print what it has printed.
 */
export class EndedJobServer {
  readonly #options: EndedJobServerOptions;

  constructor(options: EndedJobServerOptions) {
    this.#options = options;
  }

  /** A connection to it. */
  async open({ job, run, projectName }: JobView): Promise<Duplex> {
    const { logs, hostKeyPem, find, channels } = this.#options;
    const ref = { project: projectName, run: run.name, jobId: job.id };
    const output = new OutputService(await storedOutput(logs, ref));
    const stream = serveOverStream({
      hostKeyPem,
      maxChannels: channels,
      serve: (client) => {
        authenticate(
          client,
          (blob) => find(job.id, blob),
          () => {
            client.on('session', (_accept, reject) => refuseChannel(client, reject, ENDED));
            client.on('tcpip', (accept, reject, { destIP, destPort }) => {
              if (isOutputService(destIP, destPort)) output.serve(accept());
              else refuseChannel(client, reject, ENDED);
            });
          },
        );
      },
    });
    return stream.once('close', () => output.close());
  }
}

/** Returns the output that is stored now; it is complete when a job ends. */
async function storedOutput(
  logs: EndedJobServerOptions['logs'],
  ref: LogStreamRef,
): Promise<JobOutput> {
  const end = await logs.length(ref);
  return {
    ...{ start: 0, end, ended: Promise.resolve(end), follow: () => () => {} },
    read: async (from, max) => {
      const piece = await logs.readRaw(ref, from, max);
      if (piece === null || piece.bytes.length === 0) return null;
      const { offset, bytes } = piece;
      const [read] = await logs.readTimes(ref, offset, offset + 1);
      return { offset, bytes, time: (read?.time ?? 0) * MICROS_PER_MS };
    },
  };
}
