import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { recordsOf, reportsKill } from './memory-kill.ts';

const ID = '815925c61e3719a897958e77c8894d52df470fd0e1f4d7f8925ba1c05ced734c';

it.each([
  ['version 1', `/docker/${ID}`],
  ['version 2', `/system.slice/docker-${ID}.scope`],
])('finds the kill in the words of the kernel, control groups of %s', (_, group) => {
  const record = [
    `6,31508,12314412706,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${ID}`,
    `mems_allowed=0,oom_memcg=${group},task_memcg=${group},task=tail,pid=21749,uid=0`,
  ].join(',');
  expect(reportsKill(record, ID)).toBe(true);
  expect(reportsKill(record, ID.replaceAll('8', '9'))).toBe(false);
});

it('does not count another record of the container as a kill', () => {
  expect(reportsKill(`6,1,1,-;docker0: port of ${ID} entered disabled state`, ID)).toBe(false);
});

it('reads to the end of the file that some containers have in place of the kernel’s log', () => {
  const log = openSync('/dev/null', 'r');
  expect([...recordsOf(log)]).toEqual([]);
  closeSync(log);
});
