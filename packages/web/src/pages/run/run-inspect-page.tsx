import { InspectPanel } from '../../ui/code/inspect-panel.tsx';
import { useRun } from './run-context.tsx';

/** The run as the API has it. */
export function RunInspectPage() {
  return <InspectPanel noun="run" value={useRun()} />;
}
