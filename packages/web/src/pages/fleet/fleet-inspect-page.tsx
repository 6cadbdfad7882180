import { InspectPanel } from '../../ui/code/inspect-panel.tsx';
import { useFleet } from './fleet-context.tsx';

export function FleetInspectPage() {
  return <InspectPanel noun="fleet" value={useFleet()} />;
}
