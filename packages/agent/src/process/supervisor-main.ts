import { readFileSync, writeSync } from 'node:fs';
import { closeInheritedFiles } from './inherited-files.ts';
import { supervise } from './supervisor.ts';

/**
 * Program of one job's supervisor: `supervisor-main.ts [job directory]`; without the argument, it
 * waits until its input contains the directory. File descriptor 3 is a pipe to the agent that started
 * it; one byte on it means that agents can connect.
 */
closeInheritedFiles();
process.on('SIGHUP', () => {});
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const jobDir = process.argv[2] ?? readFileSync(0, 'utf8');
// The agent ended without a job.
if (!jobDir) process.exit(0);
process.exitCode = await supervise(jobDir, () => {
  try {
    writeSync(3, '.');
  } catch {
    // The agent has died meanwhile. Its successor finds this process by its record.
  }
});
process.exit();
