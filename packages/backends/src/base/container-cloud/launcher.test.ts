import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { CONTAINER_LAUNCHER } from './launcher.ts';

it('the launcher prints no secret part of the URL of the agent', () => {
  const printed = CONTAINER_LAUNCHER.match(/^.*\b(?:say|give_up) .*$/gm) ?? [];
  expect(printed.filter((line) => line.includes('$from'))).toHaveLength(2);
  expect(printed.filter((line) => /\$\{?url/.test(line))).toEqual([]);
  const [from] = CONTAINER_LAUNCHER.match(/^from=.*$/m) ?? [];
  const url = 'https://dstack.example/api/agents/program/x64-secret';
  const script = `url=${url}\n${from}\necho "$from"`;
  expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim()).toBe(
    'https://dstack.example/api/agents/program',
  );
});
