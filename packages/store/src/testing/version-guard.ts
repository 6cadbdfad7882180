import { fleetTable, instanceTable, jobTable, runTable } from '../schema/work-tables.ts';

/** The one column that changes without a version; readers read it beside the version. */
const UNVERSIONED = 'inactivity_secs';

/**
 * Triggers (SQLite) that refuse a write which changes a record and keeps its version: a server with
 * the record in its cache would continue to show the old one. With them, every test of this package
 * checks that rule.
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
