/** Ids of machines: names are unique in a zone. */
import { MissingThingError } from '../base/rest-vm/refusals.ts';

export const vmIdOf = (zone: string, name: string): string => `${zone}/${name}`;

export function vmPlaceIn(id: string): { readonly zone: string; readonly name: string } {
  const [zone = '', name = ''] = id.split('/');
  if (name !== '') return { zone, name };
  throw new MissingThingError(`GCP: ${id} is no machine`);
}
