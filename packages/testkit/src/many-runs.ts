import { randomUUID } from 'node:crypto';
import { openStore, type RunView, type Store } from '@dstack/store';

/** Copies that are written at the same time. */
const AT_ONCE = 50;

/** Opens the database of a stopped server for a test; nothing that is written by it is a secret. */
export function openTestStore(url: string): Promise<Store> {
  return openStore({
    url,
    now: () => Date.now() * 1000,
    newId: randomUUID,
    logger: { debug() {}, info() {}, warn() {}, error: console.error },
    cipher: { encrypt: (text) => text, decrypt: (text) => text },
  });
}

/** Writes `count` copies of a run, `run-0` and so on, a microsecond apart. */
export async function copyRuns(store: Store, runId: string, count: number): Promise<void> {
  const view = await store.runs.byId(runId);
  if (view === null) throw new Error('the run to be copied is missing');
  const now = Date.now() * 1000;
  for (let from = 0; from < count; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => from + i);
    await Promise.all(numbers.map((number) => copyRun(store, view, number, now)));
  }
}

async function copyRun(store: Store, { run, jobs }: RunView, num: number, now: number) {
  const id = randomUUID();
  const name = `run-${num}`;
  const spec = { ...run.spec, run_name: name };
  const copies = jobs.map((job) => ({
    ...job,
    id: randomUUID(),
    runId: id,
    name: `${name}-0-0`,
    submittedAt: now + num,
  }));
  await store.engine.submitRun({
    projectId: run.projectId,
    name: { exact: name },
    build: () => ({ run: { ...run, id, name, spec, submittedAt: now + num }, jobs: copies }),
    superseded: () => {
      throw new Error('a copy has the name of another');
    },
  });
}
