export { generateName, numberedName } from './generate.ts';
