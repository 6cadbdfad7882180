/** The dashboard by the types that Grafana publishes, and the alerts by Prometheus' own tests of rules. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { grafanaPrograms } from '@dstack/testkit/conformance';
import { root } from '../installation.ts';
import { print } from '../measure.ts';

const folder = join(root, 'deploy', 'grafana');

/** Throws if one of them finds a fault. */
export async function grafana(): Promise<void> {
  const programs = await grafanaPrograms();
  const checks = {
    dashboard: ['check-dashboard', 'dashboard.json'],
    rules: ['promtool', 'check', 'rules', '--lint-fatal', 'alerts.yml'],
    'tests of rules': ['promtool', 'test', 'rules', 'alerts-test.yml'],
  };
  for (const [name, [program = '', ...args]] of Object.entries(checks)) {
    execFileSync(join(programs, program), args, { cwd: folder, stdio: ['ignore', 2, 2] });
    print({ name: `grafana: ${name}`, unit: 'faults', value: 0 });
  }
}
