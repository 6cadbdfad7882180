import type { Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import { Ban, Copy, Ellipsis, Pencil, RotateCcw, Square, Terminal, Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useCommands } from '../../app/commands/command-context.tsx';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { runActions } from '../../domain/runs/run-actions.ts';
import { Button, IconButton } from '../../ui/button/button.tsx';
import { Menu, MenuItem, MenuSeparator } from '../../ui/menu/menu.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { DeleteRunDialog } from './delete-run-dialog.tsx';
import { RunAgainDialog } from './run-again-dialog.tsx';
import { StopRunDialog } from './stop-run-dialog.tsx';

type Asked = 'stop' | 'abort' | 'again' | 'delete';

/** What can be done with the run. */
export function RunActionsBar({ run }: { readonly run: Run }) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const actions = runActions(run.status);
  const navigate = useNavigate();
  const close = () => setAsked(null);
  const canStop = actions.stop === null;
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
      >
        <MenuItem
          icon={<Ban size={15} />}
          disabled={actions.abort !== null}
          onSelect={() => setAsked('abort')}
        >
          Abort
        </MenuItem>
        <MenuItem icon={<RotateCcw size={15} />} onSelect={() => setAsked('again')}>
          Run again
        </MenuItem>
        <MenuItem
          icon={<Pencil size={15} />}
          onSelect={() =>
            void navigate({
              to: '/runs/launch',
              search: { project: run.project_name, from: run.run_spec.run_name ?? run.id },
            })
          }
        >
          Change and run
        </MenuItem>
        <MenuSeparator />
        <MenuItem
          icon={<Copy size={15} />}
          onSelect={() =>
            void copyText(configurationText(run.run_spec.configuration), 'configuration')
          }
        >
          Copy as YAML
        </MenuItem>
        <MenuItem
          icon={<Terminal size={15} />}
          onSelect={() => void copyText(`dstack logs -f ${run.run_spec.run_name}`, 'command')}
        >
          Copy the command for logs
        </MenuItem>
        <MenuSeparator />
        <MenuItem
          danger
          icon={<Trash2 size={15} />}
          disabled={actions.remove !== null}
          onSelect={() => setAsked('delete')}
        >
          Delete
        </MenuItem>
      </Menu>
      <StopRunDialog
        run={run}
        action={asked === 'stop' || asked === 'abort' ? asked : null}
        onClose={close}
      />
      <RunAgainDialog run={run} open={asked === 'again'} onClose={close} />
      <DeleteRunDialog run={run} open={asked === 'delete'} onClose={close} />
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
