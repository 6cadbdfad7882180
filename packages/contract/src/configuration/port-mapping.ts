import type * as z from 'zod';
import { isAnyNumber, numberText, toNumber, WholeFloat } from '../grammar/number-text.ts';
import { isPort, MAX_PORT, parsePort } from '../grammar/ports.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { int, limited, optional } from './scalars.ts';
import { closed, isMap, named, oneOf, type Reader, reader, shorthand } from './schema-kit.ts';

const PortModel = named(
  'PortMapping',
  closed({
    local_port: optional(int({ gt: 0, le: MAX_PORT })),
    container_port: int({ gt: 0, le: MAX_PORT }),
  }),
);

const PORT_NUMBER = { type: 'integer', exclusiveMinimum: 0, maximum: MAX_PORT };

/** `8000`, `80:8000` (local:container), `*:8000` (any free local port). `local_port` null = any. */
export const PortMapping = shorthand(PortModel, expandPort, (ref) => ({
  anyOf: [PORT_NUMBER, { type: 'string', pattern: '^(?:[0-9]+|\\*):[0-9]+$' }, ref(PortModel)],
}));
export type PortMapping = z.infer<typeof PortMapping>;

function expandPort(value: unknown): unknown {
  if (typeof value === 'string') return parsePort(value);
  if (value === true || (isAnyNumber(value) && !(value instanceof WholeFloat))) {
    const port = value === true ? 1 : toNumber(value);
    if (!Number.isInteger(port))
      return new Problem(`must be a whole number, got ${port}`, { type: 'int_type' });
    const checked = limited(port, { gt: 0, le: MAX_PORT });
    return checked instanceof Problem ? checked : { local_port: port, container_port: port };
  }
  if (isMap(value)) return value;
  return new Problem(`must be a port like 8000, '80:8000' or '*:8000', got ${quote(value)}`);
}

/** Port of a service. The local half is never used; a bare number is mapped from port 80. */
export const ServicePort: Reader<PortMapping> = oneOf<PortMapping>(
  (value) => (isMap(value) ? PortModel : ServicePortText),
  (ref) => ({
    anyOf: [PORT_NUMBER, { type: 'string', pattern: '^[0-9]+:[0-9]+$' }, ref(PortModel)],
  }),
  (ref) => ref(PortModel),
);

const ServicePortText: Reader<PortMapping> = reader(
  (value) => {
    const text = isAnyNumber(value) && !(value instanceof WholeFloat) ? numberText(value) : value;
    const parsed = typeof text === 'string' && !text.startsWith('*') ? parsePort(text) : undefined;
    if (parsed instanceof Problem) return parsed;
    if (!parsed || !isPort(parsed.container_port)) {
      return new Problem(`must be a port like 8000, got ${quote(value)}`);
    }
    const isBare = !String(text).includes(':');
    return isBare ? { local_port: 80, container_port: parsed.container_port } : { ...parsed };
  },
  { type: 'string' },
);
