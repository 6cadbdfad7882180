import { describe, expect, it } from 'vitest';
import { openControlledTerminal, openTerminal, type TerminalKind } from './terminal.ts';

const env = { PATH: process.env.PATH ?? '' };

async function run(
  kind: TerminalKind,
  argv: string[],
  onData?: (text: string, t: ReturnType<typeof openTerminal>) => void,
) {
  const terminal = openTerminal(kind, { argv, env, cwd: '/' });
  let text = '';
  terminal.onData((bytes) => {
    text += bytes;
    onData?.(text, terminal);
  });
  const { status } = await terminal.exited;
  await terminal.closed;
  return { status, text };
}

describe.each(['pty', 'script', 'pipes'] as const)('a terminal by %s', (kind) => {
  it('passes on arguments, output and the exit code', async () => {
    const argv = ['/bin/sh', '-c', `echo "$1"; exit 9`, 'sh', `it's "quoted" $HOME`];
    const { status, text } = await run(kind, argv);
    expect(status).toBe(9);
    expect(text.trim()).toBe(`it's "quoted" $HOME`);
  });

  it('is a terminal for the command, or is not', async () => {
    const { text } = await run(kind, ['/bin/sh', '-c', 'test -t 1 && echo yes || echo no']);
    expect(text.trim()).toBe(kind === 'pipes' ? 'no' : 'yes');
  });

  it('interrupts', async () => {
    const argv = ['/bin/sh', '-c', 'trap "exit 5" INT; echo ready; while :; do sleep 0.05; done'];
    const { status } = await run(kind, argv, (text, terminal) => {
      if (text.trim() === 'ready') terminal.interrupt();
    });
    expect(status).toBe(5);
  });

  it('gives 128 + n for a signal', async () => {
    expect((await run(kind, ['/bin/sh', '-c', 'kill -9 $$'])).status).toBe(137);
  });
});

describe.each(['pty', 'script'] as const)('an interactive terminal by %s', (kind) => {
  it('has a size, takes input and ends when it is hung up', async () => {
    const argv = ['/bin/sh', '-c', 'stty size; read line; echo "got $line"; exec sleep 1000'];
    const terminal = openControlledTerminal(kind, { argv, env, cwd: '/', cols: 101, rows: 33 });
    if (!terminal) throw new Error('no terminal');
    let text = '';
    for await (const bytes of terminal.stream) {
      text += bytes;
      if (text.includes('33 101\r\n') && !text.includes('typed')) terminal.stream.write('typed\n');
      if (text.includes('got typed')) break;
    }
    // Leaving the loop has destroyed the stream, which is the hang-up; else this would not end.
    await terminal.exited;
    expect(text).toContain('got typed');
  });
});
