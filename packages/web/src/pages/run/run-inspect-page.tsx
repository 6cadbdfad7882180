import { JsonTree } from '../../ui/code/json-tree.tsx';
import { CopyButton } from '../../ui/copy/copy-button.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { useRun } from './run-context.tsx';

/** The run as the API has it. */
export function RunInspectPage() {
  const run = useRun();
  return (
    <Panel
      title="The run as the API returns it"
      actions={<CopyButton text={() => JSON.stringify(run, null, 2)} label="Copy as JSON" />}
    >
      <JsonTree value={run} />
    </Panel>
  );
}
