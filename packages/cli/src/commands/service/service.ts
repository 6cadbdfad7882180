import type { ServiceTraffic } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { showOne } from '../../output/listing.ts';
import { addOutputOptions, type ListOptions, listOptions } from '../../output/output-options.ts';
import { renderFigures, renderModel, renderReplicas } from '../../runs/traffic-table.ts';
import { hangingText } from '../../terminal/text-width.ts';
import { watchFrames } from '../../terminal/watch.ts';

export interface ServiceOptions extends ListOptions {
  readonly name: string;
}

export function declareService(
  program: Command,
  cli: Cli,
  run: typeof runService = runService,
): void {
  addOutputOptions(
    program
      .command('service')
      .description('Show the requests of a service in the last minute, and its replicas'),
  )
    .argument('<name>', 'name of the run')
    .option('-w, --watch', 'watch in real time')
    .action((name, o) => run({ name, ...listOptions(o) }, cli));
}

export async function runService(options: ServiceOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const load = () => trafficOf(connection, options.name);
  const forms = {
    name: ({ run_name }: ServiceTraffic) => run_name,
    table: ([one]: readonly ServiceTraffic[]) => (one === undefined ? '' : serviceText(one, cli)),
  };
  if (options.watch) await watchFrames(cli, async () => serviceText(await load(), cli));
  else await showOne(await load(), forms, options, cli);
}

async function trafficOf({ project }: Connection, name: string): Promise<ServiceTraffic> {
  try {
    return await project.services.traffic(name);
  } catch (error) {
    const { isUnsupported, ResourceNotExistsError } = await import('@dstack/client');
    if (isUnsupported(error)) {
      throw new CliError('This server does not report the traffic of services', {
        why: 'it is of an earlier version',
        next: `dstack run get ${name}`,
        cause: error,
      });
    }
    if (!(error instanceof ResourceNotExistsError)) throw error;
    throw new CliError(`Service ${name} does not exist, or has ended`, {
      exitCode: EXIT.notFound,
      next: 'dstack ps -a',
      cause: error,
    });
  }
}

function serviceText(traffic: ServiceTraffic, { io, now }: Cli): string {
  const layout = { width: io.width, paint: io.paint };
  const { replicas, replicas_total: total, window_seconds: seconds } = traffic;
  const at = traffic.gateway === null ? answeredBy(traffic) : `gateway ${traffic.gateway}`;
  const head = `Service ${traffic.run_name}, last ${Math.round(seconds)} s, answered by ${at}`;
  const more = total - replicas.length;
  const parts = [
    ` ${hangingText(head, 1, io.width)}\n`,
    renderFigures(traffic, layout),
    ...(traffic.model === null ? [] : [renderModel(traffic.model, layout)]),
    total === 0
      ? ' It has no replica.\n'
      : renderReplicas(replicas, now(), layout) +
        (more > 0 ? ` ${layout.paint('secondary', `and ${more} more replicas`)}\n` : ''),
    ...gaps(traffic).map((gap) => ` ${layout.paint('warning', hangingText(gap, 1, io.width))}\n`),
  ];
  return parts.join('\n');
}

function answeredBy({ servers }: ServiceTraffic): string {
  return servers === 1 ? 'the server' : `${servers} servers`;
}

/** Warnings about missing figures; empty: none are missing. */
function gaps(traffic: ServiceTraffic): string[] {
  const { missing_servers: silent, missing_gateway_replicas: lost, servers, gateway } = traffic;
  if (gateway !== null && lost.length > 0) {
    const named = `${lost.length === 1 ? 'replica' : 'replicas'} ${lost.join(', ')}`;
    return [
      `The figures may be too low: no server has those of ${named} of gateway ${gateway}. See: dstack gateway get ${gateway}`,
    ];
  }
  if (gateway === null && silent > 0) {
    return [`The figures may be too low: ${silent} of ${servers} servers did not answer.`];
  }
  return [];
}
