import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { RendererBusy, TemplateRenderer } from '@dstack/proxy';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { assets } from '../../../process/assets.ts';

/** A list of two lists of two lists …, each the same: as text it has 2^60 parts. */
const ENDLESS =
  '{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}';

let renderer: TemplateRenderer;
afterEach(() => renderer?.close());

const messages = [{ role: 'user', content: 'hi' }];
const start = (timeoutMs?: number) => {
  const program = assets.templateProgram;
  renderer = new TemplateRenderer(timeoutMs === undefined ? { program } : { program, timeoutMs });
  return renderer;
};
const render = (template: string) => renderer.render({ template, messages });

describe('chat templates', () => {
  it('are rendered, and errors have their own messages', async () => {
    start();
    expect(await render('{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}')).toBe(
      '<user>hi',
    );
    await expect(render('{{ raise_exception("no system") }}')).rejects.toThrow('no system');
    expect(await Promise.all([render('a'), render('b')])).toEqual(['a', 'b']);
  });

  it.each([
    [
      'that takes all memory',
      '{% set x = [1] %}{% for i in range(40) %}{% set x = x + x %}{% endfor %}{% set n = namespace(x=[1]) %}{% for i in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}',
    ],
    ['that takes all time', ENDLESS],
  ])('one %s fails alone, and is not tried again', async (_what, template) => {
    start(1000);
    const other = render('other');
    await expect(render(template)).rejects.toThrow('too much time or memory');
    expect(await other).toBe('other');
    await expect(render(template)).rejects.toThrow('too much time or memory');
    expect(await render('{{ messages[0].content }}')).toBe('hi');
  });

  it('one that ended a process is tried again after a minute', async () => {
    start(1000);
    const template = `{% if messages[0].content == "slow" %}${ENDLESS}{% endif %}fine`;
    const slow = renderer.render({ template, messages: [{ role: 'user', content: 'slow' }] });
    await expect(slow).rejects.toThrow('too much time or memory');
    await expect(render(template)).rejects.toThrow('too much time or memory');
    const later = performance.now() + 61_000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => later);
    onTestFinished(() => clock.mockRestore());
    expect(await render(template)).toBe('fine');
  });

  it('are rendered by a new process when the idle one was killed', async () => {
    start();
    await render('a');
    const pid = rendererProcess();
    process.kill(Number(pid), 'SIGKILL');
    while (existsSync(`/proc/${pid}`)) await setTimeout(20);
    expect(await render('a')).toBe('a');
  });

  it('are refused for the moment if too many of them wait', async () => {
    start();
    const chats = Array.from({ length: 120 }, () => render('a').catch((error) => error));
    const results = await Promise.all(chats);
    expect(results.filter((result) => result === 'a')).toHaveLength(100);
    expect(results.filter((result) => result instanceof RendererBusy)).toHaveLength(20);
  });

  it('do not survive a server that is killed, whatever they do', async () => {
    const here = import.meta.dirname;
    const script = `
      const { TemplateRenderer } = await import('${here}/../../../../../proxy/src/index.ts');
      const { assets } = await import('${here}/../../../process/assets.ts');
      const renderer = new TemplateRenderer({ program: assets.templateProgram, timeoutMs: 600_000 });
      await renderer.render({ template: 'a', messages: [] });
      console.log('ready');
      await renderer.render({ template: ${JSON.stringify(ENDLESS)}, messages: [] });
    `;
    const server = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await once(server.stdout, 'data');
    const [child] = childrenOf(server.pid ?? 0);
    server.kill('SIGKILL');
    while (existsSync(`/proc/${child}`)) await setTimeout(20);
    expect(child).toBeDefined();
  });
});

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
}

/** Id of the process that this process has started to render templates. */
function rendererProcess(): string | undefined {
  return readdirSync('/proc').find((pid) => {
    try {
      const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return Number(parent) === process.pid && command.includes(assets.templateProgram);
    } catch {
      // Not a process, or one that has exited.
      return false;
    }
  });
}
