/**
 * `scripts/bench [name …]`: measures the built product and prints one JSON line per figure.
 * Without names everything runs. `api:10` is ten minutes of load instead, for the memory alone. Floors (`node -e 0`, `docker run`) are measured in the same run.
 */
import { execFileSync } from 'node:child_process';
import { api } from './api.ts';
import { array } from './array.ts';
import { atRest } from './at-rest.ts';
import { chaos } from './chaos.ts';
import { commandLine } from './command-line.ts';
import { conformance } from './conformance.ts';
import { crashLoop } from './crash-loop.ts';
import { explain } from './explain.ts';
import { fleet } from './fleet.ts';
import { gateway } from './gateway.ts';
import { gatewayFaults } from './gateway-faults.ts';
import { gatewayNginx } from './gateway-nginx.ts';

import { hostile } from './hostile.ts';
import { kubernetes } from './kubernetes.ts';
import { latency } from './latency.ts';
import { liveJobs } from './live-jobs.ts';
import { offers } from './offers.ts';
import { placement } from './placement.ts';
import { pool } from './pool.ts';
import { proxy } from './proxy.ts';
import { proxyRoutes } from './proxy-routes.ts';
import { proxyWorkers } from './proxy-workers.ts';
import { queue } from './queue.ts';
import { replay } from './replay.ts';
import { retention } from './retention.ts';
import { retentionProject } from './retention-project.ts';
import { retentionYear } from './retention-year.ts';
import { serverStart } from './server-start.ts';
import { services } from './services.ts';
import { sim } from './sim.ts';
import { simulate } from './simulate.ts';
import { slurm } from './slurm.ts';
import { ssh } from './ssh.ts';
import { sshFleet } from './ssh-fleet.ts';
import { sshHosts } from './ssh-hosts.ts';
import { takenOut } from './taken-out.ts';
import { wakeUp } from './wake-up.ts';
import { web } from './web.ts';

const benches: Readonly<Record<string, (argument?: string) => Promise<void>>> = {
  'command-line': commandLine,
  'server-start': serverStart,
  latency,
  retention,
  'taken-out': takenOut,
  'retention-project': retentionProject,
  'retention-year': retentionYear,
  ssh,
  fleet,
  'ssh-fleet': sshFleet,
  'ssh-hosts': sshHosts,
  'live-jobs': liveJobs,
  kubernetes,
  api,
  explain,
  proxy,
  'proxy-workers': proxyWorkers,
  'proxy-routes': proxyRoutes,
  gateway,
  'gateway-nginx': gatewayNginx,
  conformance,
  chaos,
  'gateway-faults': gatewayFaults,
  services,
  'wake-up': wakeUp,
  'at-rest': atRest,
  offers,
  queue,
  array,
  placement,
  replay,
  pool,
  'crash-loop': crashLoop,
  hostile,
  sim,
  simulate,
  slurm,
  web,
};

execFileSync(process.execPath, ['scripts/build.ts'], { stdio: 'ignore' });
const chosen = process.argv.slice(2);
for (const text of chosen.length > 0 ? chosen : Object.keys(benches)) {
  const [name = '', argument] = text.split(':');
  const bench = benches[name];
  if (!bench) throw new Error(`no bench ${name}; there are: ${Object.keys(benches).join(', ')}`);
  await bench(argument);
}
