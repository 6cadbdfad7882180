import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FirstLoads, webFolder } from './web/first-load.ts';

const loads = new FirstLoads();

describe('the first load of a page', () => {
  it('is measured for all pages', () => {
    expect(loads.pages.length).toBeGreaterThan(6);
  });

  it.each(loads.pages)('%s has at most 235 kB of scripts and 40 kB of styles', (page) => {
    expect(loads.size(page, 'js')).toBeLessThanOrEqual(235_000);
    expect(loads.size(page, 'css')).toBeLessThanOrEqual(40_000);
  });
});

it.each(loads.pages)('%s needs at most 24 files of scripts', (page) => {
  expect(loads.files(page, 'js').size).toBeLessThanOrEqual(24);
});

it('paints a frame that waits for no other file', () => {
  const page = readFileSync(join(webFolder, 'index.html'), 'utf8');
  const [head = '', body = ''] = page.split('<body>');
  expect(head).not.toMatch(/<link rel="stylesheet"|<script src/);
  expect(body.indexOf('id="first-frame"')).toBeLessThan(body.indexOf('<link rel="stylesheet"'));
  expect(page).not.toContain('<!--');
});

it('requests nothing from other servers', () => {
  const styles = loads.pages.flatMap((page) => [...loads.files(page, 'css')]);
  for (const file of ['index.html', ...new Set(styles)]) {
    expect(readFileSync(join(webFolder, file), 'utf8')).not.toMatch(
      /(src|href)="?https?:|url\("?https?:/,
    );
  }
});
