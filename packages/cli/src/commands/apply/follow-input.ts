import type { Connection } from '../../context.ts';
import type { ApplyOptions } from './apply-options.ts';

export interface FollowInput {
  readonly connection: Connection;
  readonly options: ApplyOptions;
}
