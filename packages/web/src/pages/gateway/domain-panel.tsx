import type { Gateway } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { gatewayKeys } from '../../data/gateways/gateway-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { dnsRecord } from '../../domain/gateways/gateway-look.ts';
import { Button } from '../../ui/button/button.tsx';
import { CommandBlock } from '../../ui/copy/command.tsx';
import { TextField } from '../../ui/field/field.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { toast } from '../../ui/toast/toaster.tsx';

/** The domain of the gateway, and the record that has to lead there. */
export function DomainPanel({ gateway }: { readonly gateway: Gateway }) {
  const [open, setOpen] = useState(false);
  const record = dnsRecord(gateway);
  return (
    <Panel
      title="Domain"
      actions={
        <Button size="sm" onClick={() => setOpen(true)}>
          Change
        </Button>
      }
    >
      {gateway.wildcard_domain ? (
        <p>
          Services are at names below <bdi>{gateway.wildcard_domain}</bdi>.
        </p>
      ) : (
        <p>It has no domain: services behind it cannot be reached yet.</p>
      )}
      {record === null ? null : (
        <>
          <p>This record has to exist at the provider of the domain:</p>
          <CommandBlock text={record} label="Copy the record" />
        </>
      )}
      {open ? <DomainDialog gateway={gateway} onClose={() => setOpen(false)} /> : null}
    </Panel>
  );
}

function DomainDialog(props: { readonly gateway: Gateway; readonly onClose: () => void }) {
  const { gateway, onClose } = props;
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [domain, setDomain] = useState(gateway.wildcard_domain ?? '');
  const save = async () => {
    const done = await submission.submit(async () => {
      const { gateways } = client.project(gateway.project_name);
      await gateways.setWildcardDomain(gateway.name, domain.trim());
      await cache.invalidateQueries({ queryKey: gatewayKeys.all });
      toast.done('The domain was changed');
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`Domain of ${gateway.name}`}
      action="Save"
      submission={submission}
      onSubmit={() => void save()}
    >
      <TextField
        label="Domain"
        value={domain}
        onChange={setDomain}
        error={submission.error}
        input={{ placeholder: '*.example.com' }}
      />
    </FormDialog>
  );
}
