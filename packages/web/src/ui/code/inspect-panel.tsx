import { CopyButton } from '../copy/copy-button.tsx';
import { Panel } from '../panel/panel.tsx';
import { JsonTree } from './json-tree.tsx';

/** Something as the API returns it. `noun`: `fleet`. */
export function InspectPanel(props: { readonly noun: string; readonly value: unknown }) {
  const { noun, value } = props;
  return (
    <Panel
      title={`The ${noun} as the API returns it`}
      actions={<CopyButton text={() => JSON.stringify(value, null, 2)} label="Copy as JSON" />}
    >
      <JsonTree value={value} />
    </Panel>
  );
}
