import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { capacityBoard } from './board.ts';

export function capacityRoutes(on: On, deps: HttpDeps): void {
  on('capacity.board', ({ project, user, body }) =>
    capacityBoard(deps, { project, user }, body.instance_ids),
  );
}
