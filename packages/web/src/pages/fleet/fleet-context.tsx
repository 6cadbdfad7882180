import type { Fleet } from '@dstack/contract/wire';
import { createContext, useContext } from 'react';

export const FleetContext = createContext<Fleet | null>(null);

/** The fleet whose page is shown. */
export function useFleet(): Fleet {
  const fleet = useContext(FleetContext);
  if (fleet === null) throw new Error('FleetContext is missing');
  return fleet;
}
