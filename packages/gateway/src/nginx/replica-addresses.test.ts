import type { GatewayService } from '@dstack/contract/agent';
import { AgentRefusal, AgentUnreachable, PushedTable, ReplicaAddresses } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { pushedRoutes } from '../pushed-route.ts';

const configuration = {
  ...{ type: 'service', auth: true, strip_prefix: true, replicas: null, scaling: null },
  ...{ autoscaling: null, rate_limits: [], held_requests: null, groups: null, affinity: null },
};
const replica = { job_id: 'job', host_id: 'host', port: 80, running_at: 0, failing: false };
const service: GatewayService = {
  ...{ run_id: 'run', project: 'main', run: 'web', host: 'web.apps.test', https: true },
  ...{ custom_hosts: null, custom_paths: null, configuration: JSON.stringify(configuration) },
  replicas: [{ ...replica, tunnel: null }],
};

/** A replica whose address is known. `answer`: of its agent from then on, which is asked by `check`. */
async function known(answer: () => Promise<string | null>) {
  const clock = { now: 0 };
  let asked = 0;
  let changes = 0;
  const addresses = new ReplicaAddresses({
    learn: async () => {
      asked += 1;
      return asked === 1 ? '127.64.0.1' : await answer();
    },
    onChange: () => {
      changes += 1;
    },
    now: () => clock.now,
  });
  addresses.setHosts({ host: { socket: '/agent.sock', token: 'token' } });
  const hosted = new PushedTable();
  hosted.replace(pushedRoutes([service]));
  addresses.want([...hosted.wholeHosts.values()]);
  await expect.poll(() => changes).toBe(1);
  await addresses.check();
  expect([addresses.of('job'), asked]).toEqual(['127.64.0.1', 1]);
  clock.now += 5000;
  await addresses.check();
  return { address: addresses.of('job'), asked, changes };
}

it('forgets an address at which the agent finds another job', async () => {
  const refused = async () => {
    throw new AgentRefusal(502, 'port_refused', 'a process that is not of the job listens');
  };
  expect(await known(refused)).toEqual({ address: null, asked: 2, changes: 2 });
});

it('keeps an address while its agent cannot be asked', async () => {
  const away = async () => {
    throw new AgentUnreachable('no answer');
  };
  expect(await known(away)).toEqual({ address: '127.64.0.1', asked: 2, changes: 1 });
});

it('keeps an address that its agent confirms', async () => {
  const same = async () => '127.64.0.1';
  expect(await known(same)).toEqual({ address: '127.64.0.1', asked: 2, changes: 1 });
});
