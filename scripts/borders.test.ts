import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The rules that these sources break, with the names of both files. */
function broken(sources: Readonly<Record<string, string>>): readonly string[] {
  const dir = mkdtempSync(join(tmpdir(), 'borders-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const config = join(root, '.dependency-cruiser.cjs');
  const args = ['--config', config, '--output-type', 'json', 'packages'];
  const output = execFileSync(join(root, 'node_modules/.bin/depcruise'), args, { cwd: dir });
  const { violations } = JSON.parse(String(output)).summary as {
    violations: readonly { rule: { name: string }; from: string; to: string }[];
  };
  return violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

const AGENT = 'packages/agent/src';
const TYPE = 'export interface T { a: string }\n';
const use = (path: string) => `import type { T } from '${path}';\nexport type U = T;\n`;

it('a layer of the agent may import types of the layers below it, and none of those above', () => {
  expect(
    broken({
      [`${AGENT}/spool/low.ts`]: TYPE,
      [`${AGENT}/spool/bad.ts`]: use('../jobs/job.ts'),
      [`${AGENT}/jobs/job.ts`]: `${use('../spool/low.ts')}export type { T };\n`,
      [`${AGENT}/docker/bad.ts`]: use('../process/neighbour.ts'),
      [`${AGENT}/process/neighbour.ts`]: TYPE,
      [`${AGENT}/protocol/bad.ts`]: use('../agent.ts'),
      [`${AGENT}/agent.ts`]: TYPE,
    }).toSorted(),
  ).toEqual([
    `agent-docker-imports: ${AGENT}/docker/bad.ts -> ${AGENT}/process/neighbour.ts`,
    `agent-protocol-imports: ${AGENT}/protocol/bad.ts -> ${AGENT}/agent.ts`,
    `agent-spool-imports: ${AGENT}/spool/bad.ts -> ${AGENT}/jobs/job.ts`,
  ]);
});

it('a folder of the agent outside of the layers may import nothing', () => {
  expect(
    broken({ [`${AGENT}/misc/a.ts`]: use('../spool/low.ts'), [`${AGENT}/spool/low.ts`]: TYPE }),
  ).toEqual([`agent-folders-are-layers: ${AGENT}/misc/a.ts -> ${AGENT}/spool/low.ts`]);
});

it('the folders of core are layers too', () => {
  const core = 'packages/core/src';
  expect(
    broken({
      [`${core}/model/low.ts`]: TYPE,
      [`${core}/status/bad.ts`]: use('../offers/offer.ts'),
      [`${core}/offers/offer.ts`]: `${use('../model/low.ts')}export type { T };\n`,
      [`${core}/misc/a.ts`]: use('../model/low.ts'),
    }).toSorted(),
  ).toEqual([
    `core-folders-are-layers: ${core}/misc/a.ts -> ${core}/model/low.ts`,
    `core-status-imports: ${core}/status/bad.ts -> ${core}/offers/offer.ts`,
  ]);
});

it('the folders of the store are layers, and import nothing of what puts them together', () => {
  const store = 'packages/store/src';
  expect(
    broken({
      [`${store}/schema/bad.ts`]: use('../users/types.ts'),
      [`${store}/users/types.ts`]: `${use('../context/low.ts')}export type { T };\n`,
      [`${store}/context/low.ts`]: TYPE,
      [`${store}/quotas/bad.ts`]: use('../open-store.ts'),
      [`${store}/open-store.ts`]: TYPE,
    }).toSorted(),
  ).toEqual([
    `store-quotas-imports: ${store}/quotas/bad.ts -> ${store}/open-store.ts`,
    `store-schema-imports: ${store}/schema/bad.ts -> ${store}/users/types.ts`,
  ]);
});

it('the folders of the server are layers too', () => {
  const server = 'packages/server/src';
  expect(
    broken({
      [`${server}/loops/bad.ts`]: use('../settings/settings.ts'),
      [`${server}/settings/settings.ts`]: `${use('../hosts/low.ts')}export type { T };\n`,
      [`${server}/hosts/low.ts`]: TYPE,
      [`${server}/hosts/bad.ts`]: use('../server.ts'),
      [`${server}/server.ts`]: TYPE,
    }).toSorted(),
  ).toEqual([
    `server-hosts-imports: ${server}/hosts/bad.ts -> ${server}/server.ts`,
    `server-loops-imports: ${server}/loops/bad.ts -> ${server}/settings/settings.ts`,
  ]);
});

it('files that import only types of each other are a cycle', () => {
  const [a, b] = ['packages/core/src/a.ts', 'packages/core/src/b.ts'];
  expect(
    broken({
      [a]: use('./b.ts'),
      [b]: use('./a.ts').replaceAll('T', 'U').replace('U = U', 'T = U'),
    }),
  ).toEqual([`no-cycles: ${a} -> ${b}`]);
});
