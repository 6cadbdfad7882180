const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** `1.4 GB`, in powers of 1024 as the configuration language has them. */
export function bytes(value: number): string {
  let size = Math.max(0, value);
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : trimmed(size.toFixed(1))} ${UNITS[unit]}`;
}

/** `24 GB` for 24105 MiB: what people call such a machine. */
export function mebibytes(value: number): string {
  const gigabytes = value / 1024;
  if (gigabytes < 1) return `${value} MB`;
  if (gigabytes >= 1024) return `${trimmed((gigabytes / 1024).toFixed(1))} TB`;
  return `${gigabytes >= 10 ? Math.round(gigabytes) : trimmed(gigabytes.toFixed(1))} GB`;
}

/** `$2.39`, `$0`, `$0.0412`, `$1,812`: enough digits to differ from nothing, and no more than are read. */
export function money(value: number): string {
  if (value === 0) return '$0';
  if (Math.abs(value) < 0.1) return `$${trimmed(value.toFixed(4))}`;
  if (Math.abs(value) >= 1000) return `${value < 0 ? '-' : ''}$${count(Math.abs(value))}`;
  return `$${value.toFixed(2)}`;
}

/** USD per hour; `–` where no price is known, which is 0 on the wire. */
export function pricePerHour(value: number): string {
  return value === 0 ? '–' : money(value);
}

/** The same in a sentence: `$2.39/h`, `price unknown`. */
export function hourlyText(value: number): string {
  return value === 0 ? 'price unknown' : `${money(value)}/h`;
}

/** `1,204` */
export function count(value: number): string {
  return INTEGER.format(value);
}

/** `1 run`, `3 runs`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `37 %` of a share from 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

const INTEGER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

const trimmed = (digits: string): string => digits.replace(/\.?0{1,4}$/, '');
