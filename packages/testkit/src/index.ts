export { forEachDatabase, type SuiteRunner, type TestDatabases } from './databases.ts';
export * from './docker.ts';
export { freePort } from './free-port.ts';
export * from './hosts.ts';
export * from './installation.ts';
export { memoryFolder } from './memory-folder.ts';
export { type PostgresCluster, postgresBinaries, startPostgres } from './postgres.ts';
