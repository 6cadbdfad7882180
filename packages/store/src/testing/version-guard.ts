import { fleetTable, instanceTable, jobTable, runTable } from '../schema/work-tables.ts';

/** The one column that rises by itself; readers ask for it beside the version. */
const UNVERSIONED = 'inactivity_secs';

/**
 * Triggers (SQLite) that refuse a write which changes a record and keeps its version: a server
 * that knows the record would go on showing the old one. With them on, every test of this package
 * is a test of that.
 */
export function versionGuard(): string[] {
  return [runTable, jobTable, instanceTable, fleetTable].map(({ name, columns }) => {
    const changed = columns
      .filter((column) => column !== 'version' && column !== UNVERSIONED)
      .map((column) => `new.${column} is not old.${column}`)
      .join(' or ');
    return `create trigger ${name}_version before update on ${name}
        when new.version <= old.version and (${changed})
        begin select raise(abort, 'a write to ${name} raised no version'); end`;
  });
}
