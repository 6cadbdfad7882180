import { plainLine } from '@dstack/contract/plain-text';
import type { Event } from '@dstack/contract/wire';
import { utcTime } from '../../format/time.ts';
import type { Paint } from '../../terminal/style.ts';

/** `[2026-11-24 13:37:36 UTC] [👤admin] [run train-llama] Run submitted. Status: SUBMITTED` */
export function eventLine(event: Event, project: string, paint: Paint): string {
  const actor = event.actor_user
    ? `${paint('secondary', `[👤${plainLine(event.actor_user)}]`)} `
    : '';
  const targets = event.targets
    .map((target) => {
      const foreign = target.project_name && target.project_name !== project;
      const name = foreign ? `${target.project_name}/${target.name}` : target.name;
      return `${paint('secondary', target.type)} ${paint('code', plainLine(name))}`;
    })
    .join(', ');
  const time = paint('secondary', `[${utcTime(event.recorded_at, 'second')}]`);
  return `${time} ${actor}[${targets}] ${plainLine(event.message)}`;
}
