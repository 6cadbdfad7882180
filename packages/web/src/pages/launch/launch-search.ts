import { searchSchema, textParameter } from '../../ui/search-schema.ts';

/** `from`: a run of the project whose configuration is the beginning. */
export const LaunchSearch = searchSchema({ from: textParameter(1, 100) });
