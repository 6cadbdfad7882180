/** Where pods and images are: private registries, and other namespaces. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layerOf, TestRegistry } from '@dstack/testkit/registry';
import { expect, it } from 'vitest';
import { configuration, isFinished, untilRun } from '../installation.ts';
import { message, podOf, RESOURCES, SMALL, submitted, type World } from './world.ts';

/** A program without any library, which prints a line and ends with 3. */
export function staticProgram(): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'program-'));
  try {
    const source = join(dir, 'hello.c');
    writeFileSync(source, '#include <stdio.h>\nint main() { puts("no shell here"); return 3; }\n');
    execFileSync('gcc', ['-static', '-o', join(dir, 'hello'), source]);
    return readFileSync(join(dir, 'hello'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export function placeCases(world: () => World): void {
  it('pull images with the credentials of the run, or by a secret of the namespace', async () => {
    const { cluster, home } = world();
    // On the loopback of the node: its runtime accepts no other registry without TLS.
    const registry = await TestRegistry.start({
      network: `/run/netns/${cluster.node(1)}`,
      access: 'basic',
    });
    try {
      const { host } = registry;
      const layers = [layerOf('hello', staticProgram(), 0o755)];
      for (const tag of ['1', '2', '3']) registry.add(`private:${tag}`, { layers });
      const login = ['--docker-username=user', '--docker-password=secret'];
      await cluster.kubectl(
        ...['create', 'secret', 'docker-registry', 'registry', `--docker-server=${host}`, ...login],
      );
      const on = `node_selector: {kubernetes.io/hostname: ${cluster.node(1)}}`;
      const hello = (name: string, tag: string, secrets: string, more = '') =>
        submitted(
          home,
          name,
          `type: task\nname: ${name}\nimage: ${host}/private:${tag}\nentrypoint: /hello\ncommands: []\nbackend_settings: {kubernetes: {${on}${secrets}}}\n${more}${RESOURCES}}\n`,
        );
      const auth = (password: string) => `registry_auth: {username: user, password: ${password}}\n`;
      await hello('pulled', '1', '', auth('secret'));
      await hello('secret', '2', ', image_pull_secrets: [registry]');
      await hello('wrong', '3', '', auth('guessed'));
      for (const name of ['pulled', 'secret']) {
        const run = await untilRun(home, name, isFinished);
        expect([name, run.latest_job_submission.exit_status, message(run)]).toEqual([
          ...[name, 3, expect.anything()],
        ]);
      }
      expect(message(await untilRun(home, 'wrong', isFinished))).toMatch(
        /the image could not be pulled on node \w+: .*(401|[Uu]nauthorized|authorization failed)/,
      );
      await cluster.kubectl('delete', 'secret', 'registry');
    } finally {
      await registry.close();
    }
  });

  it('are in the namespace of the context that they are offered in', async () => {
    const { cluster, home } = world();
    const offers = await home.ok(
      'offer',
      '-b',
      'kubernetes',
      '--region',
      'other',
      '--disk',
      '1GB..',
    );
    expect(offers).toContain('other');
    const fleet =
      'type: fleet\nname: elsewhere\nnodes: 0..3\nbackends: [kubernetes]\nregions: [other]\n';
    await home.ok('apply', '-f', configuration(home, 'elsewhere.yml', fleet), '-y');
    const yaml = `type: task\nname: there\n${SMALL}commands: ['echo "in there"; sleep 1']\n${RESOURCES}}\n`;
    const file = configuration(home, 'there.dstack.yml', yaml);
    await home.ok('apply', '-f', file, '-y', '-d', '--fleet', 'elsewhere');
    const pod = await podOf(cluster, 'there', 'elsewhere');
    expect(pod.metadata.namespace).toBe('elsewhere');
    expect((await untilRun(home, 'there', isFinished)).status).toBe('done');
    expect(await home.ok('logs', 'there')).toContain('in there');
  });
}
