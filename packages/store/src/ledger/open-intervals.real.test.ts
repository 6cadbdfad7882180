import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../open-store.ts';
import { storeOptions } from '../testing/store-options.ts';

/** How SQLite carries out the statements of a report about machines, by the projects asked for. */
async function plans(projectIds: readonly string[] | null): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'ledger-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'data.db');
  const statements = new Set<string>();
  const onStatement = (text: string) => void statements.add(text);
  const store = await openStore({ ...storeOptions(`sqlite:///${path}`), onStatement });
  statements.clear();
  const period = { since: 1, until: 2, now: 2 };
  await store.ledger.report({ projectIds, ...period, by: 'fleet' });
  await store.close();
  const database = new DatabaseSync(path);
  try {
    return [...statements]
      .filter((text) => /^select .* from "instances"/s.test(text))
      .flatMap((text) => database.prepare(`explain query plan ${text}`).all())
      .map(({ detail }) => String(detail));
  } finally {
    database.close();
  }
}

it('machines that were deleted long ago are not read to find those that cost something now', async () => {
  for (const projects of [null, [randomUUID()], [randomUUID(), randomUUID()]]) {
    expect(await plans(projects)).toEqual(['SCAN instances USING INDEX instances_keys']);
  }
});
