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

it('requests nothing from other servers', () => {
  const styles = loads.pages.flatMap((page) => [...loads.files(page, 'css')]);
  for (const file of ['index.html', 'theme.js', ...new Set(styles)]) {
    expect(readFileSync(join(webFolder, file), 'utf8')).not.toMatch(
      /(src|href)="?https?:|url\("?https?:/,
    );
  }
});
