export * from './docker.ts';
export * from './installation.ts';
