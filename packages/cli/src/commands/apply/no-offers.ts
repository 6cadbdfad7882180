import type { Connection } from '../../context.ts';
import type { Paint } from '../../terminal/style.ts';

/**
 * Explains why a plan has no offers: there are no fleets, or none matches. A notice, not an error.
 */
export async function missingOffersNotice(connection: Connection, paint: Paint): Promise<string> {
  const fleets = await connection.project.fleets.list({ include_imported: true });
  if (fleets.length === 0) {
    return paint(
      'error',
      `The project ${connection.project.name} has no fleets. Create one before submitting a run: dstack apply -f fleet.dstack.yml\n`,
    );
  }
  return paint(
    'warning',
    'No matching instance offers available. Ask for less (--gpu, --memory, --max-price), or see: dstack offer, dstack fleet\n',
  );
}
