/** Amounts of quotas as text. */

/** `8 GPUs`, `4 H100 GPUs`, `64 CPUs`, `512 GB of memory`, `2 instances`, `$12.50 per hour`. */
export function resourceText(resource: string, amount: number): string {
  const text = amountText(resource, amount);
  const isOne = amount === 1;
  if (resource.startsWith('gpu:')) {
    return `${text} ${resource.slice('gpu:'.length)} ${isOne ? 'GPU' : 'GPUs'}`;
  }
  switch (resource) {
    case 'gpu':
      return `${text} ${isOne ? 'GPU' : 'GPUs'}`;
    case 'cpu':
      return `${text} ${isOne ? 'CPU' : 'CPUs'}`;
    case 'memory':
      return `${text} of memory`;
    case 'instances':
      return `${text} ${isOne ? 'instance' : 'instances'}`;
    case 'cost':
      return `${text} per hour`;
    case 'runs':
      return `${text} waiting ${isOne ? 'run' : 'runs'}`;
    default:
      return `${text} ${resource}`;
  }
}

/** The amount alone, with its unit where it is not a count. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cost') return `$${amount.toFixed(2)}`;
  const text = String(Math.round(amount * 1000) / 1000);
  return resource === 'memory' ? `${text} GB` : text;
}
