/** Claims of the namespace that projects may register as volumes, and those that they may not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configuration, isFinished, untilRun } from '../installation.ts';
import { task, type World } from './world.ts';

const claim = (name: string, labels: Readonly<Record<string, string>>) => ({
  ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, labels } },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } },
});

/** The agent runs from the claim `dstack-agent`. */
export function claimCases(world: () => World): void {
  it('mount a claim of a user that was registered, but no claim of dstack', async () => {
    const { cluster, home } = world();
    const items = [
      claim('of-user', {}),
      claim('of-project', {
        'app.kubernetes.io/managed-by': 'dstack',
        'k8s.dstack.ai/project': 'other',
      }),
    ];
    const file = join(home.home, 'claims.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await cluster.kubectl('apply', '-f', file);
    const register = async (name: string) => {
      const yaml = `type: volume\nname: ${name}\nbackend: kubernetes\nregion: ${cluster.context}\nclaim_name: ${name}\n`;
      return await home.dstack(['apply', '-f', configuration(home, `${name}.yml`, yaml), '-y']);
    };
    expect(await register('of-user')).toMatchObject({ code: 0 });
    for (const [name, reason] of [
      ['of-project', 'belongs to dstack (app.kubernetes.io/managed-by=dstack)'],
      ['dstack-agent', 'holds the program of the agent'],
    ] as const) {
      const { code, stdout, stderr } = await register(name);
      const printed = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
      expect([name, code, printed]).toEqual([name, 1, expect.stringContaining(reason)]);
    }
    const mounted = 'volumes: [{name: of-user, path: /data}]\n';
    await task(home, 'registered', ['echo kept > /data/file && cat /data/file'], mounted);
    await untilRun(home, 'registered', isFinished);
    expect(await home.ok('logs', 'registered')).toContain('kept');
    for (const name of ['of-user', 'of-project', 'dstack-agent']) {
      await home.ok('delete', '-f', `${name}.yml`, '-y');
    }
    await cluster.kubectl('delete', '-f', file);
  });
}
