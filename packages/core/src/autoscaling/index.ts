export { figureOf, QUERY_INTERVAL, queryKey, windowOf } from './figures.ts';
