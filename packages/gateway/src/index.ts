export { nginxConfiguration } from './nginx/configuration.ts';
