import type { Installation } from '@dstack/testkit';
import { dockerMissing } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerHome, IMAGE, startDockerHome } from './docker.ts';
import { configuration } from './installation.ts';

const missing = dockerMissing();
if (missing) console.warn(`Services in Docker are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('a service in containers of one host', () => {
  let docker: DockerHome;
  let home: Installation;
  beforeAll(async () => {
    docker = await startDockerHome('0..3');
    home = docker.home;
  });
  afterAll(() => docker?.dispose());

  /** A web server of busybox that serves the name of its replica. */
  async function apply(name: string, address: string, replicas: number): Promise<void> {
    const yaml = [
      ...['type: service', `name: ${name}`, `image: ${IMAGE}`, 'port: 8000'],
      `replicas: ${replicas}`,
      'commands:',
      '  - mkdir www; echo "$DSTACK_JOB_ID" > www/index.html',
      `  - exec httpd -f -p ${address}:8000 -h www`,
      'probes: [{type: http, url: /index.html, interval: 1s}]',
      'resources: {gpu: 0}',
    ].join('\n');
    const file = configuration(home, `${name}.dstack.yml`, yaml);
    await home.ok('apply', '-f', file, '-y', '-d');
  }

  async function seen(name: string, replicas: number): Promise<Set<string>> {
    const url = `${home.url}/proxy/services/main/${name}/index.html`;
    const headers = { authorization: `Bearer ${home.token()}` };
    const jobs = new Set<string>();
    while (jobs.size < replicas) {
      const answer = await fetch(url, { headers });
      const text = await answer.text();
      if (answer.status === 200) jobs.add(text.trim());
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return jobs;
  }

  it('has replicas that listen on the same port', async () => {
    await apply('shared', '$DSTACK_LISTEN_ADDRESS', 2);
    expect((await seen('shared', 2)).size).toBe(2);
    await home.ok('stop', 'shared', '-y');
  });

  it('is reached although it listens only on the container’s loopback', async () => {
    await apply('hidden', '127.0.0.1', 1);
    expect((await seen('hidden', 1)).size).toBe(1);
    await home.ok('stop', 'hidden', '-y');
  });
});
