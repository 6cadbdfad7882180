export * from './installation.ts';
