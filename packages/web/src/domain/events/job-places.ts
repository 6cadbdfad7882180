import { createContext } from 'react';

/** A job whose output is shown on the page of logs. */
export interface JobPlace {
  readonly project: string;
  readonly run: string;
  readonly job: string;
  readonly attempt: number;
}

/** Jobs by id: events about them lead to what they printed from then on. */
export const JobPlacesContext = createContext<ReadonlyMap<string, JobPlace>>(new Map());
