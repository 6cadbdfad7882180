import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createIo } from './io.ts';
import { LiveBlock } from './live.ts';

const io = (out: PassThrough) => createIo({ out, err: out, input: out }, {}, 'never');

test('a slow reader is waited for, so that the unread output stays small', async () => {
  const out = new PassThrough({ highWaterMark: 10 });
  const { output, drained } = io(out);
  output(Buffer.from('short'));
  await drained();
  output(Buffer.from('more than it takes'));
  let waits = true;
  const waiting = drained().then(() => {
    waits = false;
  });
  await Promise.resolve();
  expect(waits).toBe(true);
  out.resume();
  await waiting;
});

test('waiting leaves no listeners behind', async () => {
  const out = new PassThrough({ highWaterMark: 10 });
  const { output, drained } = io(out);
  const before = out.listenerCount('close');
  for (let round = 0; round < 3; round += 1) {
    output(Buffer.from('more than it takes'));
    const waiting = drained();
    out.read();
    await waiting;
  }
  expect([out.listenerCount('close'), out.listenerCount('drain')]).toEqual([before, 0]);
});

test('a closed reader is not waited for', async () => {
  const out = new PassThrough({ highWaterMark: 10 });
  const { output, drained } = io(out);
  output(Buffer.from('more than it takes'));
  const waiting = drained();
  out.destroy();
  await waiting;
});

/** One terminal behind both streams. */
function onTerminal(colour: 'always' | 'never' = 'never', rows?: number, columns = 40) {
  const written: string[] = [];
  const sink = {
    write: (data: string | Uint8Array) => void written.push(Buffer.from(data as string).toString()),
    isTTY: true,
    columns,
    rows,
  };
  const source = { isTTY: true, async *[Symbol.asyncIterator]() {} };
  const terminal = createIo({ out: sink, err: sink, input: source }, {}, colour);
  return { terminal, shown: () => written.splice(0).join('') };
}

test('control characters of outside text are escaped, whichever function prints it', () => {
  const { terminal, shown } = onTerminal('always');
  const evil = 'a\u001b[2J\u001b[1mb';
  const plain = 'a\\x1b[2J\\x1b[1mb';
  terminal.print(evil);
  terminal.info(evil);
  terminal.warn(evil);
  terminal.put(`${evil}\n`);
  terminal.redrawnErr?.draw(evil);
  terminal.print(terminal.styled(terminal.paint('bold', evil)));
  const text = shown();
  expect(text.split(plain)).toHaveLength(7);
  expect(text).not.toContain('\u001b[2J');
  terminal.print(terminal.paint('bold', evil));
  expect(shown()).toContain(`\u001b[1m${plain}\u001b[0m`);
});

test('JSON has the same value, in characters that a terminal does not interpret', () => {
  const { terminal, shown } = onTerminal();
  const value = { text: '\u001b[2J \u009b31m \u007f \u202e \u2028 ünï\ud800' };
  terminal.json(value);
  const text = shown();
  expect(text).not.toMatch(/[\u001b\u007f-\u009f\u202e\u2028]/);
  expect(JSON.parse(text)).toEqual(value);
});

test('a block drawn in place leaves room for an unfinished line of output', () => {
  const { terminal, shown } = onTerminal();
  terminal.output(Buffer.from('half a line'));
  const block = new LiveBlock(terminal);
  block.show('Waiting...');
  block.show('Waiting longer...');
  block.stop();
  const text = shown();
  // One line up from below the block is the block's own line.
  expect(text).toMatch(
    /^half a line\u001b\[\?25l\n\S Waiting\.\.\.\n\u001b\[1A\r\u001b\[J\S Waiting longer/,
  );
  terminal.info('done');
  expect(shown()).toBe('done\n');
});

test('a message starts its own line, and a drawn block makes room for it', () => {
  const { terminal, shown } = onTerminal();
  terminal.output(Buffer.from('half'));
  terminal.info('note');
  expect(shown()).toBe('half\nnote\n');
  terminal.redrawnErr?.draw('block\nof two');
  terminal.warn('careful');
  expect(shown()).toBe('block\nof two\n\u001b[2A\r\u001b[Jwarning: careful\n');
  terminal.redrawnErr?.draw('again');
  expect(shown()).toBe('again\n');
});

test('a block taller than the screen is cut, since what has left the screen cannot be erased', () => {
  const { terminal, shown } = onTerminal('never', 4);
  terminal.redrawnErr?.draw('1\n2\n3\n4\n5');
  expect(shown()).toBe('1\n2\n... (3 more lines)\n');
  terminal.redrawnErr?.draw('1\n2\n3');
  expect(shown()).toBe('\u001b[3A\r\u001b[J1\n2\n3\n');
});

test('a terminal of unknown size is drawn to as well', () => {
  const { terminal, shown } = onTerminal('never', 0, 0);
  terminal.redrawnErr?.draw('1\n2');
  terminal.redrawnErr?.erase();
  expect(shown()).toBe('1\n2\n\u001b[2A\r\u001b[J');
});
