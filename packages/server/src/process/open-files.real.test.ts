import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = `
import { closeSync, openSync } from 'node:fs';
import { OpenFiles } from '${fileURLToPath(new URL('./open-files.ts', import.meta.url))}';
const log = { warn: () => {}, info: () => {} };
const wait = () => new Promise((done) => setTimeout(done, 300));
const files = new OpenFiles({ log });
const states = [[files.limit, files.isShort]];
const opened = [];
try {
  for (;;) opened.push(openSync('/dev/null'));
} catch (error) {
  await wait();
  states.push([error.code, files.isShort]);
}
for (const one of opened) closeSync(one);
await wait();
states.push([files.open < 60, files.isShort]);
console.log(JSON.stringify(states));
process.exit();
`;

it('a process under `ulimit -n` finds that it can open nothing, and that it recovered', () => {
  const script = 'ulimit -n 120; exec "$0" --input-type=module -e "$1"';
  const output = execFileSync('sh', ['-c', script, process.execPath, program], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect(JSON.parse(output)).toEqual([
    [120, false],
    ['EMFILE', true],
    [true, false],
  ]);
});
