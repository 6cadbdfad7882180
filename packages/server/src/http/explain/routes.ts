import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import {
  explainFleetNamed,
  explainGatewayNamed,
  explainInstanceNamed,
  explainVolumeNamed,
} from './capacity.ts';
import { explainPlannedRun } from './plan.ts';
import { explainJobNamed, explainRunNamed, explainServiceNamed } from './runs.ts';

export function explainRoutes(on: On, deps: HttpDeps): void {
  on('explain.runs', (call) => explainRunNamed(deps, call, nameOf(call)));
  on('explain.jobs', (call) => explainJobNamed(deps, call, nameOf(call)));
  on('explain.services', (call) => explainServiceNamed(deps, call, nameOf(call)));
  on('explain.instances', (call) => explainInstanceNamed(deps, call, nameOf(call)));
  on('explain.fleets', (call) => explainFleetNamed(deps, call, nameOf(call)));
  on('explain.volumes', (call) => explainVolumeNamed(deps, call, nameOf(call)));
  on('explain.plan', (call) => explainPlannedRun(deps, call, call.body));
  on('explain.gateways', (call) => explainGatewayNamed(deps, call, nameOf(call)));
}

const nameOf = ({ params }: { readonly params: Readonly<Record<string, string>> }): string =>
  params.name ?? '';
