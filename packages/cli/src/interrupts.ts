export interface InterruptOptions {
  /** SIGTERM goes to the handler too; without this option SIGTERM always ends the command. */
  readonly terminate?: boolean;
}

export type InterruptSignal = 'SIGINT' | 'SIGTERM';

export type OnInterrupt = (
  handler: (signal: InterruptSignal) => void,
  options?: InterruptOptions,
) => () => void;

/**
 * Handles Ctrl-C and SIGTERM; a closed terminal (SIGHUP) counts as SIGTERM. Without a handler of
 * the command, the first one aborts the signal that every wait observes, and another one ends the
 * process at once.
 */
export function interrupts(process: {
  on(event: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  exit(code: number): void;
}): { signal: AbortSignal; onInterrupt: OnInterrupt } {
  const controller = new AbortController();
  const handlers: { run: (signal: InterruptSignal) => void; terminate: boolean }[] = [];
  process.on('SIGINT', () => {
    const handler = handlers.at(-1);
    if (handler !== undefined) handler.run('SIGINT');
    else if (controller.signal.aborted) process.exit(130);
    else controller.abort();
  });
  const terminate = (code: number) => () => {
    const handler = handlers.at(-1);
    if (handler?.terminate) handler.run('SIGTERM');
    else if (controller.signal.aborted) process.exit(code);
    else controller.abort();
  };
  process.on('SIGTERM', terminate(143));
  process.on('SIGHUP', terminate(129));
  const onInterrupt: OnInterrupt = (run, options = {}) => {
    const entry = { run, terminate: options.terminate ?? false };
    handlers.push(entry);
    return () => {
      const at = handlers.indexOf(entry);
      if (at >= 0) handlers.splice(at, 1);
    };
  };
  return { signal: controller.signal, onInterrupt };
}
