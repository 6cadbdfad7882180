import { SlidersHorizontal } from 'lucide-react';
import { LINE_TIMES, type LineTimes } from '../../domain/logs/log-view-props.ts';
import { IconButton } from '../../ui/button/button.tsx';
import { Menu } from '../../ui/menu/menu.tsx';

/** How lines are shown. */
export interface LogLook {
  readonly wrap: boolean;
  readonly numbers: boolean;
  readonly times: LineTimes;
  /** Lines of JSON have their message first. */
  readonly readsJson: boolean;
  /** New lines are read by screen readers. */
  readonly announces: boolean;
}

interface LogViewMenuProps {
  readonly look: LogLook;
  /** The log has lines of JSON. */
  readonly hasJson: boolean;
  readonly onLook: (change: Partial<LogLook>) => void;
}

/** The rarer choices of how lines are shown. */
export function LogViewMenu({ look, hasJson, onLook }: LogViewMenuProps) {
  return (
    <Menu
      trigger={
        <IconButton label="Display of lines">
          <SlidersHorizontal size={16} />
        </IconButton>
      }
      entries={[
        {
          kind: 'choice',
          label: 'Times of lines',
          value: look.times,
          choices: [
            ['off', 'None'],
            ['local', 'Your time zone'],
            ['utc', 'UTC'],
            ['relative', 'Since the first line'],
          ],
          onChange: (times) => onLook({ times: readTimes(times) }),
        },
        'separator',
        {
          kind: 'switch',
          label: 'Line numbers',
          checked: look.numbers,
          onChange: (numbers) => onLook({ numbers }),
        },
        ...(hasJson || look.readsJson
          ? [
              {
                kind: 'switch' as const,
                label: 'Messages of JSON lines first',
                checked: look.readsJson,
                onChange: (readsJson: boolean) => onLook({ readsJson }),
              },
            ]
          : []),
        {
          kind: 'switch',
          label: 'Announce new lines to screen readers',
          checked: look.announces,
          onChange: (announces) => onLook({ announces }),
        },
      ]}
    />
  );
}

/** An earlier version saved whether there are times. */
export function readTimes(saved: unknown): LineTimes {
  if (saved === true) return 'local';
  return LINE_TIMES.find((one) => one === saved) ?? 'off';
}
