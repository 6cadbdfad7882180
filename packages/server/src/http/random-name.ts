import { randomInt } from 'node:crypto';
import { generateName } from '@dstack/core';

/** `brave-otter`: for resources without a name. */
export function randomName(): string {
  return generateName((bound) => randomInt(bound));
}
