export { forEachDatabase, type TestDatabases } from './databases.ts';
export * from './installation.ts';
export { type PostgresCluster, postgresBinaries, startPostgres } from './postgres.ts';
