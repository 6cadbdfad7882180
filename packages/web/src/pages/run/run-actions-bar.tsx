import type { Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import {
  Ban,
  Copy,
  Ellipsis,
  ListOrdered,
  Pause,
  Pencil,
  Play,
  RotateCcw,
  Square,
  Terminal,
  Trash2,
} from 'lucide-react';
import { useMemo, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { DeleteDialog } from '../../domain/deletion/delete-dialog.tsx';
import { useQueueMoves } from '../../domain/queue/use-queue-moves.ts';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { holdAction, runActions } from '../../domain/runs/run-actions.ts';
import { RUN_DELETION } from '../../domain/runs/run-deletion.tsx';
import { Button, IconButton } from '../../ui/button/button.tsx';
import { Menu } from '../../ui/menu/menu.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { RunAgainDialog } from './run-again-dialog.tsx';
import { StopRunDialog } from './stop-run-dialog.tsx';

type Asked = 'stop' | 'abort' | 'again' | 'delete';

interface RunActionsBarProps {
  readonly run: Run;
  /** The status; `terminating` while a stop can still be undone, before it is sent. */
  readonly status: Run['status'];
}

/** The buttons and the menu for the actions on a run. */
export function RunActionsBar({ run, status }: RunActionsBarProps) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const actions = runActions(status);
  const navigate = useNavigate();
  const close = () => setAsked(null);
  const canStop = actions.stop === null;
  const holding = holdAction(run);
  const moves = useQueueMoves();
  const named = [{ project: run.project_name, name: run.run_spec.run_name ?? '' }];
  useCommands(
    useMemo(
      () => [
        {
          id: 'run.stop',
          label: 'Stop the run',
          group: 'This page' as const,
          keys: 's',
          icon: Square,
          when: () => canStop,
          run: () => setAsked('stop'),
        },
      ],
      [canStop],
    ),
  );
  return (
    <>
      {actions.remove === null ? (
        <Button icon={<RotateCcw size={14} />} onClick={() => setAsked('again')}>
          Run again
        </Button>
      ) : (
        <Button
          icon={<Square size={13} />}
          disabledReason={actions.stop}
          onClick={() => setAsked('stop')}
        >
          Stop
        </Button>
      )}
      <Menu
        trigger={
          <IconButton label="More actions">
            <Ellipsis size={17} />
          </IconButton>
        }
        entries={[
          {
            kind: 'action',
            label: 'Abort',
            icon: <Ban size={15} />,
            disabled: actions.abort !== null,
            onSelect: () => setAsked('abort'),
          },
          ...(holding === null
            ? []
            : [
                {
                  kind: 'action' as const,
                  label: holding === 'hold' ? 'Hold' : 'Release',
                  icon: holding === 'hold' ? <Pause size={15} /> : <Play size={15} />,
                  onSelect: () => void moves[holding](named),
                },
                {
                  kind: 'action' as const,
                  label: 'Show in the queue',
                  icon: <ListOrdered size={15} />,
                  onSelect: () =>
                    void navigate({
                      to: '/queue',
                      search: {
                        project: run.project_name,
                        ...(holding === 'release' ? { show: 'kept' as const } : {}),
                      },
                    }),
                },
              ]),
          {
            kind: 'action',
            label: 'Run again',
            icon: <RotateCcw size={15} />,
            onSelect: () => setAsked('again'),
          },
          {
            kind: 'action',
            label: 'Change and run',
            icon: <Pencil size={15} />,
            onSelect: () =>
              void navigate({
                to: '/runs/launch',
                search: { project: run.project_name, from: run.run_spec.run_name ?? run.id },
              }),
          },
          'separator',
          {
            kind: 'action',
            label: 'Copy as YAML',
            icon: <Copy size={15} />,
            onSelect: () =>
              void copyText(configurationText(run.run_spec.configuration), 'configuration'),
          },
          {
            kind: 'action',
            label: 'Copy the command for logs',
            icon: <Terminal size={15} />,
            onSelect: () => void copyText(`dstack logs -f ${run.run_spec.run_name}`, 'command'),
          },
          'separator',
          {
            kind: 'action',
            label: 'Delete',
            icon: <Trash2 size={15} />,
            danger: true,
            disabled: actions.remove !== null,
            onSelect: () => setAsked('delete'),
          },
        ]}
      />
      <StopRunDialog
        run={run}
        action={asked === 'stop' || asked === 'abort' ? asked : null}
        onClose={close}
      />
      <RunAgainDialog run={run} open={asked === 'again'} onClose={close} />
      <DeleteDialog
        kind={RUN_DELETION}
        items={[run]}
        open={asked === 'delete'}
        onClose={close}
        onDone={() => void navigate({ to: '/runs' })}
      />
    </>
  );
}

async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast.done(`The ${what} was copied`);
  } catch {
    toast.failed(
      'The browser refused access to the clipboard',
      'Select and copy the text instead.',
    );
  }
}
