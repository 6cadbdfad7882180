import { describe, expect, it } from 'vitest';
import { frameStyle } from './plugin.ts';

const TOKENS = `
@layer tokens {
  :root {
    --gray-1: #eee;
    --gray-2: #222;
    --canvas: light-dark(var(--gray-1), var(--gray-2));
    --unused: red;
  }
  :root[data-theme="light"] { color-scheme: light; }
}`;

describe('the style of the first frame', () => {
  it('brings the tokens that it names, and those that these name', () => {
    const style = frameStyle('body { background: var(--canvas) }', TOKENS);
    expect(style).toContain('--canvas:light-dark(var(--gray-1), var(--gray-2))');
    expect(style).toContain('--gray-2:#222');
    expect(style).not.toContain('--unused');
  });

  it('follows a saved theme before the system', () => {
    const style = frameStyle('', TOKENS);
    expect(style).toContain(':root{color-scheme:light dark');
    expect(style).toContain(':root[data-theme=dark]{color-scheme:dark}');
  });

  it('is not made with a token that does not exist', () => {
    expect(() => frameStyle('i { color: var(--none) }', TOKENS)).toThrow('no --none');
  });
});
