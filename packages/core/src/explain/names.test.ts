import { describe, expect, it } from 'vitest';
import { Names } from './names.ts';
import { aNamedRun } from './testing.ts';

const PROJECTS = { 'project-1': 'main', 'project-2': 'other' };
const names = new Names('project-1', PROJECTS, { projects: new Set(['project-1']) });

describe('the names of runs', () => {
  it('are listed once each, without those of projects that the caller may not see', () => {
    const hidden = [aNamedRun('a', 'project-2'), aNamedRun('b', 'project-2')];
    const text = names.runs([aNamedRun('train'), aNamedRun('train'), ...hidden]);
    expect(text).toBe('train, a run of another project');
    expect(names.runs([])).toBeNull();
  });

  it('are counted beyond the first ten', () => {
    const runs = Array.from({ length: 500 }, (_, n) => aNamedRun(`run-${n}`));
    expect(names.runs(runs.slice(0, 10))).toMatch(/^run-0, .*, run-9$/);
    expect(names.runs(runs)).toMatch(/^run-0, .*, run-9 and 490 more$/);
  });
});
