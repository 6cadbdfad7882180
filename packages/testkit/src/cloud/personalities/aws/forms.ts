/** Objects in the XML of EC2. */
import { escaped } from '../../aws/ec2-xml.ts';
import type { Vm, VmState } from '../../vm.ts';

export const text = (name: string, value: string): string => `<${name}>${escaped(value)}</${name}>`;

export const list = (name: string, items: readonly string[]): string =>
  `<${name}>${items.map((item) => `<item>${item}</item>`).join('')}</${name}>`;

/** EC2 has no machine that failed or was taken back and is charged for: both are terminated, with a reason. */
const STATES: Readonly<Record<VmState, { readonly name: string; readonly reason?: string }>> = {
  pending: { name: 'pending' },
  running: { name: 'running' },
  ending: { name: 'shutting-down', reason: 'Client.UserInitiatedShutdown' },
  failed: { name: 'terminated', reason: 'Server.InsufficientInstanceCapacity' },
  interrupted: { name: 'terminated', reason: 'Server.SpotInstanceTermination' },
};

export function instanceForm(vm: Vm, zone: string): string {
  const { name, reason } = STATES[vm.state];
  const message = `${reason}: ${vm.problem ?? 'ended'}`;
  const why = reason ? text('code', reason) + text('message', message) : '';
  const tags = vm.tags.map(({ key, value }) => text('key', key) + text('value', value ?? ''));
  return [
    text('instanceId', vm.id),
    text('instanceType', vm.type.name),
    `<instanceState>${text('name', name)}</instanceState>`,
    why === '' ? '' : `<stateReason>${why}</stateReason>`,
    `<placement>${text('availabilityZone', zone)}</placement>`,
    text('architecture', 'x86_64'),
    vm.address === null ? '' : text('ipAddress', vm.address),
    text('privateIpAddress', vm.privateAddress),
    list('tagSet', tags),
  ].join('');
}

export function imageForm(id: string): string {
  const disk = `${text('deviceName', '/dev/sda1')}<ebs>${text('volumeSize', '8')}</ebs>`;
  return [
    ...[text('imageId', id), text('name', 'ubuntu'), text('rootDeviceName', '/dev/sda1')],
    ...[text('creationDate', '2026-07-01T00:00:00.000Z'), list('blockDeviceMapping', [disk])],
  ].join('');
}

/** The main table of the VPC, with a way to the internet. */
export function routeTableForm(): string {
  const route = text('destinationCidrBlock', '0.0.0.0/0') + text('gatewayId', 'igw-1');
  return list('associationSet', [text('main', 'true')]) + list('routeSet', [route]);
}
