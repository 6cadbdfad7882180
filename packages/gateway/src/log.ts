import type { ProxyLog } from '@dstack/proxy';

/** One JSON object per line on the standard error output, which the agent writes to a file. */
export function createLog(part: string): ProxyLog {
  const write =
    (level: string) =>
    (...args: readonly unknown[]) => {
      const [first, second] = args;
      const fields = typeof first === 'object' && first !== null ? first : {};
      const text = typeof first === 'string' ? first : second;
      const shown = Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key,
          value instanceof Error ? value.message : value,
        ]),
      );
      const line = { time: new Date().toISOString(), level, part, message: text, ...shown };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    };
  const silent = () => {};
  return {
    ...{ info: write('info'), warn: write('warn'), error: write('error') },
    ...{ debug: silent, trace: silent, fatal: write('fatal') },
  } as unknown as ProxyLog;
}
