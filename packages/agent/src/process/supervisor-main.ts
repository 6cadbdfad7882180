import { writeSync } from 'node:fs';
import { closeInheritedFiles } from './inherited-files.ts';
import { supervise } from './supervisor.ts';

/**
 * Program of one job's supervisor: `supervisor-main.ts <job directory>`. File descriptor 3 is a
 * pipe to the agent that started it; one byte on it means that agents can connect.
 */
closeInheritedFiles();
process.on('SIGHUP', () => {});
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const jobDir = process.argv[2];
if (!jobDir) throw new Error('usage: supervisor <job directory>');
process.exitCode = await supervise(jobDir, () => {
  try {
    writeSync(3, '.');
  } catch {
    // The agent has died meanwhile. Its successor finds this process by its record.
  }
});
process.exit();
