import { choiceParameter, searchSchema } from '../../ui/search-schema.ts';

/** The events that are shown: without it, those by the user. */
export const UserEventsSearch = searchSchema({ events: choiceParameter(['about']) });
