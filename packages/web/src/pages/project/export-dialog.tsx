import type { Export } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { projectKeys } from '../../data/projects/project-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Checkbox, TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';

const listOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter(Boolean);
const without = (list: readonly string[], other: readonly string[]) =>
  list.filter((one) => !other.includes(one));

/** Creates an export, or changes what it shares and with whom. */
export function ExportDialog(props: {
  readonly project: string;
  readonly existing: Export | null;
  readonly onClose: () => void;
}) {
  const { project, existing, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const before = {
    fleets: existing?.exported_fleets.map(({ name }) => name) ?? [],
    gateways: existing?.exported_gateways.map(({ name }) => name) ?? [],
    importers: existing?.imports.map(({ project_name }) => project_name) ?? [],
  };
  const [name, setName] = useState(existing?.name ?? '');
  const [fleets, setFleets] = useState(before.fleets.join(', '));
  const [gateways, setGateways] = useState(before.gateways.join(', '));
  const [importers, setImporters] = useState(before.importers.join(', '));
  const [isGlobal, setGlobal] = useState(existing?.is_global ?? false);
  const save = async () => {
    const now = {
      fleets: listOf(fleets),
      gateways: listOf(gateways),
      importers: isGlobal ? before.importers : listOf(importers),
    };
    const { exports } = client.project(project);
    const done = await submission.submit(async () => {
      if (existing === null) {
        await exports.create({
          name: name.trim(),
          is_global: isGlobal,
          importer_projects: isGlobal ? [] : now.importers,
          exported_fleets: now.fleets,
          exported_gateways: now.gateways,
        });
      } else {
        await exports.update({
          name: existing.name,
          set_global: isGlobal && !existing.is_global,
          unset_global: !isGlobal && existing.is_global,
          add_importer_projects: without(now.importers, before.importers),
          remove_importer_projects: without(before.importers, now.importers),
          add_exported_fleets: without(now.fleets, before.fleets),
          remove_exported_fleets: without(before.fleets, now.fleets),
          add_exported_gateways: without(now.gateways, before.gateways),
          remove_exported_gateways: without(before.gateways, now.gateways),
        });
      }
      await cache.invalidateQueries({ queryKey: projectKeys.all });
      toast.done(`Export ${name.trim()} was saved`);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={existing === null ? 'Create an export' : `Export ${existing.name}`}
      action="Save"
      submission={submission}
      onSubmit={() => void save()}
    >
      {existing === null ? (
        <TextField
          label="Name"
          value={name}
          onChange={setName}
          error={submission.errorOf('name')}
        />
      ) : null}
      <TextField
        label="Fleets"
        optional
        hint="Names, separated by commas."
        value={fleets}
        onChange={setFleets}
        error={submission.errorOf(
          'exported_fleets',
          'add_exported_fleets',
          'remove_exported_fleets',
        )}
      />
      <TextField
        label="Gateways"
        optional
        value={gateways}
        onChange={setGateways}
        error={submission.errorOf(
          'exported_gateways',
          'add_exported_gateways',
          'remove_exported_gateways',
        )}
      />
      <Checkbox checked={isGlobal} onChange={setGlobal}>
        Share with all projects of this server (global admins only)
      </Checkbox>
      {isGlobal ? null : (
        <TextField
          label="Projects that may use them"
          optional
          value={importers}
          onChange={setImporters}
          error={submission.errorOf(
            'importer_projects',
            'add_importer_projects',
            'remove_importer_projects',
          )}
        />
      )}
    </FormDialog>
  );
}
