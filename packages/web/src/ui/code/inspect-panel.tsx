import { CopyButton } from '../copy/copy-button.tsx';
import { Panel } from '../panel/panel.tsx';
import { JsonTree } from './json-tree.tsx';

/** Something as the API returns it. `noun`: `fleet`. `folded`: beside more important things. */
export function InspectPanel(props: {
  readonly noun: string;
  readonly value: unknown;
  readonly folded?: boolean;
}) {
  const { noun, value, folded } = props;
  return (
    <Panel
      title={`The ${noun} as the API returns it`}
      actions={<CopyButton text={() => JSON.stringify(value, null, 2)} label="Copy as JSON" />}
    >
      <JsonTree value={value} {...(folded ? { open: 0 } : {})} />
    </Panel>
  );
}
