import { randomInt } from 'node:crypto';
import { generateName } from '@dstack/core';

/** `brave-otter`: for things that their user has not named. */
export function randomName(): string {
  return generateName((bound) => randomInt(bound));
}
