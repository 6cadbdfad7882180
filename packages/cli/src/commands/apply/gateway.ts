import { isGatewayFailed, isGatewayPassing } from '@dstack/contract/status';
import type { Gateway, GatewayConfiguration, GatewayPlan } from '@dstack/contract/wire';
import type { LoadedConfiguration } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { orNull } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';
import { renderProperties } from '../../terminal/table.ts';
import { renderGatewayTable } from '../gateway/gateway-table.ts';
import type { ApplyOptions } from './apply-options.ts';
import {
  confirmed,
  decideCreate,
  provisioningFailed,
  waitUntil,
  watchProvisioning,
} from './create-flow.ts';
import { diffFields } from './spec-diff.ts';

type Loaded = LoadedConfiguration & { readonly value: GatewayConfiguration };

/** Applies a gateway. */
export async function runApplyGateway(
  loaded: Loaded,
  options: ApplyOptions,
  cli: Cli,
): Promise<void> {
  const configuration = { ...loaded.value, name: options.flags.name ?? loaded.value.name };
  const { project } = await cli.connect();
  const spec = { configuration, configuration_path: loaded.path };
  const plan = await withSpinner(cli.io, 'Getting apply plan...', () =>
    project.gateways.getPlan(spec),
  );
  const current = plan.current_resource ?? null;
  const decision = decideCreate(
    'gateway',
    current?.name ?? configuration.name ?? null,
    current && {
      differences: diffFields(
        { ...current.configuration },
        { ...plan.effective_spec.configuration },
      ),
      action: plan.action,
    },
  );
  if (options.json) {
    if (options.dryRun) cli.io.json(plan);
  } else {
    cli.io.print(planText(plan, cli));
    if (decision.notice) cli.io.print(decision.notice);
  }
  if (options.dryRun) return;
  if (!(await confirmed(decision, options, cli))) {
    if (options.json) cli.io.json(plan);
    return;
  }
  if (decision.replaces && current) {
    const { name } = current;
    await project.gateways.delete([name]);
    const isDeleted = async () => (await orNull(() => project.gateways.get(name))) === null;
    await waitUntil('Deleting existing gateway...', cli, isDeleted);
  }
  const gateway = await withSpinner(cli.io, 'Applying plan...', () =>
    project.gateways.apply({ spec: plan.spec, current_resource: current }),
  );
  const table = (g: Gateway): string =>
    renderGatewayTable([g], {
      verbose: false,
      project: project.name,
      now: cli.now(),
      layout: { width: cli.io.width, paint: cli.io.paint },
    });
  const finished = (g: Gateway): boolean => !isGatewayPassing(g.status);
  const ready =
    options.detach || finished(gateway)
      ? gateway
      : await watchProvisioning<Gateway>(
          {
            title: `Provisioning ${gateway.name}...`,
            noun: 'gateway',
            get: () => project.gateways.get(gateway.name),
            done: finished,
            table,
            delete: () => project.gateways.delete([gateway.name]),
          },
          options,
          cli,
        );
  if (ready === null) return;
  if (options.json) cli.io.json(ready);
  else cli.io.print(table(ready));
  if (isGatewayFailed(ready.status)) {
    throw provisioningFailed('gateway', ready.name, ready.status_message ?? null);
  }
}

function planText(plan: GatewayPlan, cli: Cli): string {
  const { configuration } = plan.effective_spec;
  const replicas = configuration.replicas;
  return renderProperties(
    [
      ['Project', plan.project_name],
      ['User', plan.user],
      ['Configuration', plan.spec.configuration_path ?? '?'],
      ['Type', 'gateway'],
      ['Backend', configuration.backend],
      ['Region', configuration.region],
      ['Domain', configuration.domain ?? '-'],
      ...(replicas ? [['Replicas', String(replicas)] as const] : []),
    ],
    { width: cli.io.width, paint: cli.io.paint },
  );
}
