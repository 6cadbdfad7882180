import type { Run } from '@dstack/contract/wire';

type Jobs = Run['jobs'];
type Placed = NonNullable<Jobs[number]['job_submissions'][number]['job_provisioning_data']>;
export type PlacedResources = Placed['instance_type']['resources'];

/** Where the jobs of a run are, as one: sums, and what they have in common. */
export interface RunPlacement {
  readonly instances: number;
  /** USD per hour: of each machine the part that the job has. */
  readonly price: number;
  /** Different values are all named. */
  readonly backend: string;
  readonly region: string;
  readonly instanceType: string;
  /** The sum over all jobs. */
  readonly resources: PlacedResources;
}

/** The placement of the unfinished jobs, or of all jobs of a run that has ended; null: none is placed. */
export function runPlacement(jobs: Jobs, isOver: boolean): RunPlacement | null {
  const placed = jobs.flatMap(({ job_submissions }) => {
    const latest = job_submissions.at(-1);
    const data = latest?.job_provisioning_data;
    if (!data || !(isOver || latest.finished_at === null)) return [];
    const { blocks = 1, total_blocks: total = 1 } = latest.job_runtime_data?.offer ?? {};
    return [{ ...data, price: (data.price * (blocks ?? 1)) / (total || 1) }];
  });
  const [first, ...others] = placed;
  if (first === undefined) return null;
  return {
    instances: new Set(placed.map(({ backend, instance_id }) => `${backend} ${instance_id}`)).size,
    price: placed.reduce((sum, { price }) => sum + price, 0),
    backend: named(placed.map(({ backend }) => backend)),
    region: named(placed.map(({ region }) => region)),
    instanceType: named(placed.map(({ instance_type }) => instance_type.name)),
    resources: others.reduce(
      (sum, { instance_type }) => together(sum, instance_type.resources),
      first.instance_type.resources,
    ),
  };
}

const named = (values: readonly string[]): string => [...new Set(values)].join(', ');

function together(a: PlacedResources, b: PlacedResources): PlacedResources {
  return {
    ...a,
    cpus: a.cpus + b.cpus,
    memory_mib: a.memory_mib + b.memory_mib,
    gpus: [...a.gpus, ...b.gpus],
    disk: { ...a.disk, size_mib: a.disk.size_mib + b.disk.size_mib },
    spot: a.spot || b.spot,
  };
}
