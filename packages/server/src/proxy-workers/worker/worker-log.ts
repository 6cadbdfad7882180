import type { ServerLink } from '@dstack/proxy';
import { createLogger, type Logger } from '../../process/logging.ts';

/**
 * The log of a worker is a part of the server's log; while the server is away it goes to the worker's own
 * file, which is its standard output.
 */
export function workerLog(link: ServerLink, level: string): Logger {
  const toServer = (line: string) => link.notify('log', { line });
  return createLogger(
    { level, format: 'json' },
    {
      write: (line: string) => {
        if (!toServer(line)) process.stdout.write(line);
      },
    },
  );
}
