import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { OwnLogs } from './own-logs.ts';

function logs() {
  const dir = mkdtempSync(join(tmpdir(), 'logs-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const [gateway, nginx] = [join(dir, 'gateway.log'), join(dir, 'nginx-error.log')];
  return { own: new OwnLogs({ gateway, nginx }), gateway, nginx };
}

const line = (second: number, message: string, more: object = {}) =>
  `${JSON.stringify({ time: new Date(Date.UTC(2026, 10, 28, 17, 0, second)).toISOString(), level: 'warn', part: 'gateway', message, ...more })}\n`;
const local = (second: number) => {
  const at = new Date(Date.UTC(2026, 10, 28, 17, 0, second));
  const two = (part: number) => String(part).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('/');
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
};
const texts = (answer: ReturnType<OwnLogs['read']>) => answer.lines.map(({ text }) => text);

it('the lines of both logs come in the order of their times', () => {
  const { own, gateway, nginx } = logs();
  expect(own.read({ lines: 10, after: null })).toEqual({ lines: [], skipped: false, next: '0,0' });
  writeFileSync(gateway, line(1, 'one') + line(3, 'three', { name: 'web', err: 'refused' }));
  writeFileSync(nginx, `${local(2)} [error] 7#7: *1 two\n`);
  const { lines } = own.read({ lines: 10, after: null });
  expect(lines).toMatchObject([
    { source: 'gateway', level: 'warn', text: 'one' },
    { source: 'nginx', level: 'error', text: '*1 two' },
    { source: 'gateway', text: 'three {"name":"web","err":"refused"}' },
  ]);
  expect(texts(own.read({ lines: 2, after: null }))).toHaveLength(2);
});

it('what follows is read from where the last answer ended, whole lines only, also of a log that began anew', () => {
  const { own, gateway } = logs();
  writeFileSync(gateway, line(1, 'one'));
  const first = own.read({ lines: 0, after: null });
  expect(first.lines).toEqual([]);
  appendFileSync(gateway, `${line(2, 'two')}{"time`);
  const second = own.read({ lines: 10, after: first.next });
  expect(texts(second)).toEqual(['two']);
  expect(own.read({ lines: 10, after: second.next })).toMatchObject({ lines: [], skipped: false });
  truncateSync(gateway);
  appendFileSync(gateway, line(3, 'new'));
  expect(texts(own.read({ lines: 10, after: second.next }))).toEqual(['new']);
});

it('answers are bounded, and report what they leave out', () => {
  const { own, gateway } = logs();
  const { next } = own.read({ lines: 0, after: null });
  writeFileSync(gateway, line(1, 'x'.repeat(5000)).repeat(200));
  const answer = own.read({ lines: 500, after: next });
  expect(answer.skipped).toBe(true);
  expect(answer.lines.length).toBeLessThan(60);
  expect(answer.lines.every(({ text }) => text.length <= 1000)).toBe(true);
});

it('credentials and control characters of requests are left out, and lines of a crash are shown', () => {
  const { own, gateway, nginx } = logs();
  const request = 'request: "GET /a?token=secret HTTP/1.1", host: "web.test"';
  writeFileSync(nginx, `${local(1)} [error] 7#7: *1 failed, ${request}\nno \u001b[31mdate\n`);
  writeFileSync(
    gateway,
    `${line(2, 'failed', { err: 'authorization: Bearer secret' })}Error: out\n`,
  );
  const answer = own.read({ lines: 10, after: null });
  expect(JSON.stringify(answer)).not.toContain('secret');
  expect(texts(answer)).toEqual([
    '*1 failed, request: "GET /a?… HTTP/1.1", host: "web.test"',
    'no  [31mdate',
    'failed {"err":"authorization: Bearer …"}',
    'Error: out',
  ]);
});

it.each(['', 'x', '1', '1,2,3', '-1,0', '9999999999999,9999999999999', '1e9,0'])(
  'a position that no answer has given, %s, begins anew',
  (after) => {
    const { own, gateway } = logs();
    writeFileSync(gateway, line(1, 'one'));
    expect(texts(own.read({ lines: 10, after }))).toEqual(['one']);
  },
);
