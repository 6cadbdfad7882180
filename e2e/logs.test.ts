import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, isRunning, newInstallation, submit, untilRun } from './installation.ts';
import { untilPrinted } from './printed.ts';

describe('the output of a run', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
    const lines = "seq 1 3000 | sed 's/^/line /'; echo '# end'; sleep 100000";
    await submit(home, 'long', [lines]);
    await untilRun(home, 'long', isRunning);
    await untilPrinted(home, 'long', (text) => text.includes('# end'));
  });
  afterAll(() => home.dispose());

  it('is printed as far as it goes while the run continues', async () => {
    const printed = await home.ok('logs', 'long');
    expect(printed.split('\n')).toHaveLength(3002);
    expect(printed).toMatch(/^line 1\nline 2\n/);
    expect(printed).toMatch(/line 3000\n# end\n$/);
  });

  it('can be cut to its last lines', async () => {
    expect(await home.ok('logs', '-n', '2', 'long')).toBe('line 3000\n# end\n');
    expect(await home.ok('logs', '-n', '0', 'long')).toBe('');
  });

  it('begins at a time', async () => {
    expect(await home.ok('logs', '--since', '1d', '-n', '1', 'long')).toBe('# end\n');
    const future = new Date(Date.now() + 3600_000).toISOString();
    const { code, stdout, stderr } = await home.dstack(['logs', '--since', future, 'long']);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('has printed nothing since then');
  });
});
