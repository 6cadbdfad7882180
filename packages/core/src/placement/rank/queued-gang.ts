import type { Gang } from '../../model/index.ts';
import type { GangRequest } from '../gang-request.ts';

export interface QueuedGang {
  readonly gang: Gang;
  readonly request: GangRequest;
}
