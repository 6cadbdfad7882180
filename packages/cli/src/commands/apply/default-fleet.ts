import type { FleetConfiguration, FleetSpec, RunPlan } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { withSpinner } from '../../terminal/live.ts';
import type { ApplyOptions } from './apply-options.ts';

/** A template: an instance is created when a run needs it. */
const DEFAULT_FLEET = { type: 'fleet', name: 'default', nodes: { min: 0, max: 1 } };

/**
 * In a project without fleets no run can start: at a terminal, asks whether to create one. Returns
 * whether it was created.
 */
export async function offerDefaultFleet(
  plan: RunPlan,
  options: ApplyOptions,
  { project }: Connection,
  cli: Cli,
): Promise<boolean> {
  const hasOffers = plan.job_plans.some(({ offers }) => offers.length > 0);
  if (hasOffers || !cli.io.interactive || options.yes || options.json || options.dryRun) {
    return false;
  }
  // A run that names its fleets would not use this one.
  const { configuration, profile } = plan.effective_run_spec ?? plan.run_spec;
  if ((configuration.fleets ?? profile?.fleets ?? []).length > 0) return false;
  const fleets = await project.fleets.list({ include_imported: true });
  if (fleets.length > 0) return false;
  const name = cli.io.paintErr('code', DEFAULT_FLEET.name);
  cli.io.info(`Project ${project.name} has no fleets, so nothing can run in it yet.`);
  if (!(await cli.prompt.confirm(`Create fleet ${name} (0..1)?`, '--yes', true))) return false;
  const configured = DEFAULT_FLEET as unknown as FleetConfiguration;
  await withSpinner(cli.io, 'Creating fleet...', async () => {
    const spec = {
      configuration: configured,
      configuration_path: null,
      profile: { name: 'default' },
    };
    const { spec: planned } = await project.fleets.getPlan(spec as unknown as FleetSpec);
    return project.fleets.apply({ spec: planned, current_resource: null });
  });
  return true;
}
