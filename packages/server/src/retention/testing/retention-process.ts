/**
 * Deletes old data as a server does, until it is killed or nothing is left: `retention-process.ts DIR URL
 * OWNER KILL_AT`. Prints one line for each step: when it ended (ms), how long it took, its name and what it
 * has done. With KILL_AT the process kills itself at that many calls that write, half of them after the call.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { fileBlobs } from '../../blobs/file-blobs.ts';
import { createCipher } from '../../config/cipher.ts';
import { openLogs, placeOfLogs } from '../../logs/open-logs.ts';
import { serverFolder } from '../../process/server-folders.ts';
import { retentionSettings } from '../retention-settings.ts';
import { RetentionRounds } from '../rounds.ts';
import { retentionSteps } from '../steps.ts';
import { StrayLogs } from '../stray-logs.ts';

const [dir = '', url = '', owner = '', killAt = '0'] = process.argv.slice(2);
const log = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }));
const now = () => Date.now() * 1000;
/** Servers of a shared database look for work again after this time. */
const REST_MS = 20;
let calls = 0;

const opened = await openStore({
  ...{ url, now, newId: randomUUID, logger: log, cipher: createCipher([]) },
});
const store: Store = {
  ...opened,
  retention: deadly(opened.retention, /^(delete|logsDeleted|note)/),
};
const logs = openLogs({ dir, store, now, quotaPerHour: 0, onQuota: () => {}, log });
const files = placeOfLogs(store) === 'files';
const root = files ? serverFolder(dir, 'logs') : null;
const blobs = files ? fileBlobs(serverFolder(dir, 'blobs')) : store.files.blobs;
const policy = retentionSettings(process.env);
const strays = new StrayLogs({ retention: store.retention, logs, root });
const rounds = new RetentionRounds({
  ...{ store, log, owner, now, events: policy.events, restFactor: 0 },
  steps: retentionSteps({
    ...{ store, logs: deadly(logs, /^delete$/), blobs: deadly(blobs, /^delete$/) },
    ...{ strays, policy, log },
  }),
  onStep: (name, ms, count) => process.stdout.write(`${Date.now()} ${ms} ${count} ${name}\n`),
});
process.stdout.write('ready\n');
for (;;) {
  await rounds.clean();
  if (files) break;
  await delay(REST_MS);
}
await rounds.close();
await store.close();

/** The process dies before or after the call of the chosen number. */
function deadly<T extends object>(part: T, writes: RegExp): T {
  return new Proxy(part, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      if (!writes.test(String(name))) return member.bind(target);
      return async (...args: unknown[]) => {
        const isLast = ++calls === Number(killAt);
        if (isLast && calls % 2 === 0) process.kill(process.pid, 'SIGKILL');
        const answer = await member.apply(target, args);
        if (isLast) process.kill(process.pid, 'SIGKILL');
        return answer;
      };
    },
  });
}
