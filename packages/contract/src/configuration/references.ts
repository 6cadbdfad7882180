import type * as z from 'zod';
import { parseReference } from '../grammar/entity-reference.ts';
import { isAnyNumber, numberText } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { int, optional, string } from './scalars.ts';
import { closed, isMap, named, oneOf, type Reader, reader, shorthand } from './schema-kit.ts';

const ReferenceModel = named(
  'EntityReference',
  closed({ project: optional(string()), name: string() }),
);

/** A fleet or gateway: `name`, `project/name` or `{project, name}`. */
export const EntityReference = shorthand(ReferenceModel, expandReference, (ref) => ({
  anyOf: [ref(ReferenceModel), { type: 'string' }],
}));
export type EntityReference = z.infer<typeof EntityReference>;

export function expandReference(value: unknown): unknown {
  if (typeof value === 'string') return parseReference(value);
  if (isAnyNumber(value)) return parseReference(numberText(value));
  if (isMap(value)) return value;
  return new Problem(`must be 'name' or 'project/name', got ${quote(value)}`, {
    type: 'model_type',
  });
}

export const InstanceNameSelector = named(
  'InstanceNameSelector',
  closed({ name: string({ min: 1 }) }),
);
export type InstanceNameSelector = z.infer<typeof InstanceNameSelector>;

export const InstanceHostnameSelector = named(
  'InstanceHostnameSelector',
  closed({ hostname: string({ min: 1 }) }),
);
export type InstanceHostnameSelector = z.infer<typeof InstanceHostnameSelector>;

export const FleetInstanceSelector = named(
  'FleetInstanceSelector',
  closed({ fleet: EntityReference, instance: int({ ge: 0 }) }),
);
export type FleetInstanceSelector = z.infer<typeof FleetInstanceSelector>;

/** A text that names an instance. */
const InstanceName: Reader<InstanceNameSelector> = reader(
  (value) => {
    const name = isAnyNumber(value) ? numberText(value) : String(value);
    return name === '' ? new Problem('must not be empty') : { name };
  },
  { type: 'string' },
);

export type InstanceSelector =
  | InstanceNameSelector
  | InstanceHostnameSelector
  | FleetInstanceSelector;

/** One instance: its name, `{name}`, `{hostname}`, or `{fleet, instance}` by number. */
export const InstanceSelector: Reader<InstanceSelector> = oneOf<InstanceSelector>(
  (value) => {
    if (typeof value === 'string' || isAnyNumber(value)) return InstanceName;
    if (isMap(value) && 'hostname' in value) return InstanceHostnameSelector;
    if (isMap(value) && ('fleet' in value || 'instance' in value)) return FleetInstanceSelector;
    if (isMap(value)) return InstanceNameSelector;
    return new Problem(
      `must be an instance name, {name: …}, {hostname: …} or {fleet: …, instance: 0}, got ${quote(value)}`,
    );
  },
  (ref) => ({
    anyOf: [
      ref(InstanceNameSelector),
      ref(InstanceHostnameSelector),
      ref(FleetInstanceSelector),
      { type: 'string' },
    ],
  }),
  (ref) => ({
    anyOf: [ref(InstanceNameSelector), ref(InstanceHostnameSelector), ref(FleetInstanceSelector)],
  }),
);
