import type { Run } from '@dstack/contract/wire';
import { createContext, useContext } from 'react';

/** The run of the page, for its tabs. */
export const RunPageContext = createContext<Run | null>(null);

export function useRun(): Run {
  const run = useContext(RunPageContext);
  if (run === null) throw new Error('RunContext is missing');
  return run;
}
