import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Runs the check like a Node of this version. */
function checkedBy(node: string) {
  const versions = `Object.defineProperty(process, 'versions', { value: { node: '${node}' } })`;
  const args = ['--import', `data:text/javascript,${versions}`, 'scripts/needs-node.js'];
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

it.each(['20.20.2', '24.14.9'])('Node %s gets one line that names the required version', (node) => {
  const { status, stdout, stderr } = checkedBy(node);
  const line = new RegExp(`^Node.js 24\\.15 or newer is needed, this is ${node}: use .*PATH\n$`);
  expect(stderr).toMatch(line);
  expect([status, stdout]).toEqual([1, '']);
});

it.each(['24.15.0', '25.1.0'])('Node %s is enough', (node) => {
  expect(checkedBy(node)).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

it('every program that starts TypeScript checks the version of Node first', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const starting = Object.values(scripts).filter((command) => /node \S+\.ts/.test(command));
  expect(starting.length).toBeGreaterThan(0);
  for (const command of starting) expect(command).toMatch(/^node scripts\/needs-node\.js && node /);
  expect(read('scripts/setup.sh')).toContain('\nnode scripts/needs-node.js\n');
  const launchers = readdirSync(join(root, 'scripts'), { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.'))
    .map(({ name }) => name);
  expect(launchers).toEqual(['bench', 'catalogue', 'demo', 'test', 'test-live']);
  for (const name of launchers) {
    expect(read(`scripts/${name}`)).toMatch(/\n\. scripts\/setup\.sh\n(.*\n)*exec node \S+\.ts/);
    expect(statSync(join(root, 'scripts', name)).mode & 0o111).toBe(0o111);
  }
});
