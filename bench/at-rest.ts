/** Cost of an idle server: CPU time and database work of one minute. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { installation } from './installation.ts';
import { print } from './measure.ts';
import { applyFleet, finished, submit } from './runs.ts';
import { residentMb } from './server-start.ts';

const INSTANCES = 10;
const RUNS = 100;
const SECONDS = 60;

export async function atRest(): Promise<void> {
  const home = installation({
    DSTACK_LOCAL_MAX_INSTANCES: String(INSTANCES),
    DSTACK_SQL_ECHO_ENABLED: '1',
    DSTACK_SERVER_LOG_LEVEL: 'info',
  });
  let statements = 0;
  try {
    await home.startServer();
    await applyFleet(home, `${INSTANCES}..${INSTANCES}`);
    for (let i = 0; i < RUNS; i++) {
      await submit(home, `finished-${i}`, { commands: ['true'] });
      await finished(home, `finished-${i}`);
    }
    await delay(5000);
    const before = usage(home.serverPid);
    home.onServerLine = (line) => {
      if (line.includes('"msg":"statement"')) statements++;
    };
    await delay(SECONDS * 1000);
    const after = usage(home.serverPid);
    const name = `at rest: ${INSTANCES} idle instances, ${RUNS} finished runs`;
    print({ name, unit: 'CPU ms/min', value: after.cpuMs - before.cpuMs });
    print({ name, unit: 'SQL statements/min', value: statements });
    print({ name, unit: 'bytes written/min', value: after.written - before.written });
    print({ name, unit: 'MB', value: residentMb(home.serverPid) });
  } finally {
    await home.dispose();
  }
}

/** CPU time and bytes written so far. */
export function usage(pid: number): { cpuMs: number; written: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const written = /^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  // The kernel counts in hundredths of a second.
  return { cpuMs: ticks * 10, written: Number(written) };
}
