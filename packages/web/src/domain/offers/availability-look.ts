import type { InstanceAvailability } from '@dstack/contract/wire';
import type { StatusLook } from '../../ui/status/status-badge.tsx';

/** How the availability of an offer is shown. */
export function availabilityLook(availability: InstanceAvailability): StatusLook {
  switch (availability) {
    case 'available':
      return { tone: 'running', icon: 'ok', text: 'Available' };
    case 'idle':
      return { tone: 'running', icon: 'active', text: 'Idle' };
    case 'busy':
      return { tone: 'warning', icon: 'waiting', text: 'Busy' };
    case 'unknown':
      return { tone: 'queued', icon: 'waiting', text: 'Not known' };
    case 'not_available':
      return { tone: 'stopped', icon: 'stopped', text: 'Not available' };
    case 'no_quota':
      return { tone: 'warning', icon: 'warning', text: 'No quota' };
    case 'no_balance':
      return { tone: 'warning', icon: 'warning', text: 'No balance' };
  }
}
