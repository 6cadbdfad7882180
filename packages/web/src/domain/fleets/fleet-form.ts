/** The fields of the form for SSH hosts, with the texts as they were typed. */
export interface SshFleetForm {
  readonly name: string;
  /** One host per line. */
  readonly hosts: string;
  readonly user: string;
  readonly network: string;
  readonly blocks: string;
}

/** The fields of the form for cloud instances, with the texts as they were typed. */
export interface CloudFleetForm {
  readonly name: string;
  readonly min: string;
  readonly max: string;
  readonly gpu: string;
  readonly backends: string;
  readonly spotPolicy: 'on-demand' | 'spot' | 'auto';
  readonly idleDuration: string;
  readonly maxPrice: string;
}

type Written = Readonly<Record<string, unknown>>;

/** The configuration as one would write it; the server reads and checks it. */
export function sshFleetConfiguration(form: SshFleetForm): Written {
  return {
    type: 'fleet',
    name: text(form.name),
    ssh_config: {
      user: text(form.user),
      network: text(form.network),
      hosts: listOf(form.hosts),
    },
    blocks: text(form.blocks) === null ? null : number(form.blocks),
  };
}

export function cloudFleetConfiguration(form: CloudFleetForm): Written {
  const min = text(form.min) ?? '0';
  const max = text(form.max);
  const gpu = text(form.gpu);
  const backends = listOf(form.backends);
  return {
    type: 'fleet',
    name: text(form.name),
    nodes: min === max ? number(min) : `${min}..${max ?? ''}`,
    resources: gpu === null ? null : { gpu },
    backends: backends.length === 0 ? null : backends,
    spot_policy: form.spotPolicy,
    idle_duration: text(form.idleDuration),
    max_price: text(form.maxPrice) === null ? null : number(form.maxPrice),
  };
}

const text = (value: string): string | null => value.trim() || null;

/** Other texts stay as they are, so that the server refuses them by name. */
function number(value: string): number | string {
  const trimmed = value.trim();
  return /^\d{1,9}(?:\.\d{1,6})?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

const listOf = (value: string): readonly string[] => value.split(/[\s,]+/).filter(Boolean);
