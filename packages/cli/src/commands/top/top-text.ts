import type { Instance } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { instanceGpu } from '../../format/resources.ts';
import { backendName, gigabytes, price } from '../../format/values.ts';
import { currentSubmission } from '../../runs/run-status.ts';
import { renderTable } from '../../terminal/table.ts';
import { hangingText } from '../../terminal/text-width.ts';
import type { BusyJob, TopState } from './top-state.ts';

const MIB = 1024 ** 2;

/** Three parts: sums, jobs, hosts. */
export function topText(state: TopState, cli: Cli): string {
  const { jobs, instances } = state;
  const parts = [
    sums(state, cli.io.width),
    jobs.length > 0 ? jobTable(jobs, cli) : 'No job runs now. Next: dstack apply -f FILE\n',
    instances.length > 0 ? hostTable(instances, cli) : 'No hosts. Next: dstack fleet\n',
  ];
  return parts.join('\n');
}

function sums({ project, overview, jobs, instances }: TopState, width: number | null): string {
  const busy = instances.filter((one) => one.busy_blocks > 0 || one.job_name).length;
  const perHour = instances.reduce((sum, one) => sum + (one.price ?? 0), 0);
  const waiting = (overview?.runs ?? [])
    .filter(({ status }) => status === 'submitted' || status === 'pending')
    .reduce((sum, { count }) => sum + count, 0);
  const head = [
    `Project ${project}`,
    `${jobs.length} running ${jobs.length === 1 ? 'job' : 'jobs'}`,
    ...(waiting > 0 ? [`${waiting} waiting ${waiting === 1 ? 'run' : 'runs'}`] : []),
    `${busy} of ${instances.length} ${instances.length === 1 ? 'host' : 'hosts'} in use`,
    `${price(perHour, 2)}/h`,
  ];
  const gpus = (overview?.gpus ?? []).map(
    ({ name, memory_mib, total, in_use }) =>
      `${name} ${gigabytes(memory_mib)}: ${in_use} of ${total} in use`,
  );
  const lines = [hangingText(head.join(' · '), 0, width)];
  if (gpus.length > 0) lines.push(`GPUs  ${hangingText(gpus.join(', '), 6, width)}`);
  return `${lines.join('\n')}\n`;
}

function jobTable(jobs: readonly BusyJob[], { io }: Cli): string {
  const columns = [
    { header: 'JOB', keep: true },
    { header: 'USER', optional: 3 },
    { header: 'CPU', keep: true },
    { header: 'MEMORY', keep: true },
    { header: 'GPU', keep: true },
    { header: 'GPU MEMORY', optional: 1 },
    { header: 'PRICE', optional: 2 },
  ];
  const rows = jobs.map(({ run, job, measured }) => {
    const gpus = Object.entries(measured).filter(([name]) => name.startsWith('gpu_util_percent_'));
    const gpuBytes = Object.entries(measured)
      .filter(([name]) => name.startsWith('gpu_memory_usage_bytes_'))
      .reduce((sum, [, value]) => sum + value, 0);
    const idle = gpus.length > 0 && gpus.every(([, value]) => value === 0);
    const { cpu_usage_percent: cpu, memory_working_set_bytes: memory } = measured;
    return [
      job.job_spec.job_name,
      run.user,
      cpu === undefined ? '-' : `${Math.round(cpu)}%`,
      memory === undefined ? '-' : gigabytes(memory / MIB),
      gpus.length === 0
        ? '-'
        : {
            text: gpus.map(([, value]) => `${Math.round(value)}%`).join(' '),
            style: idle ? ('gold' as const) : ('plain' as const),
          },
      gpuBytes > 0 ? gigabytes(gpuBytes / MIB) : '-',
      price(currentSubmission(job)?.job_provisioning_data?.price ?? 0),
    ];
  });
  return renderTable(columns, rows, { width: io.width, paint: io.paint });
}

function hostTable(instances: readonly Instance[], { io }: Cli): string {
  const columns = [
    { header: 'HOST', keep: true },
    { header: 'FLEET', optional: 3 },
    { header: 'BACKEND', optional: 2 },
    { header: 'GPU', optional: 1 },
    { header: 'STATUS', keep: true },
    { header: 'USED', keep: true },
    { header: 'PRICE', optional: 4 },
  ];
  const rows = instances.map((one) => {
    const total = one.total_blocks ?? 1;
    const gpus = one.instance_type ? instanceGpu(one.instance_type.resources.gpus) : null;
    return [
      one.name,
      one.fleet_name ?? '-',
      backendName(one.backend, one.region),
      gpus ?? '-',
      one.unreachable ? { text: 'unreachable', style: 'bad' as const } : one.status,
      `${one.busy_blocks}/${total}`,
      price(one.price ?? 0),
    ];
  });
  return renderTable(columns, rows, { width: io.width, paint: io.paint });
}
