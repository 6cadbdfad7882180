/** Calls of moto without a signature, for what tests do beside the client: by default moto checks none. */
import type { Fields } from './ec2-request.ts';
import { allTexts, firstText } from './ec2-xml.ts';

export type MotoCall = (region: string, action: string, fields?: Fields) => Promise<string>;

/** The answer in XML; rejects for an error. */
export function motoCalls(moto: string): MotoCall {
  return async (region, Action, fields = {}) => {
    const scope = `Credential=test/20260101/${region}/ec2/aws4_request`;
    const response = await fetch(moto, {
      method: 'POST',
      headers: {
        authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ Action, Version: '2016-11-15', ...fields }).toString(),
    });
    const body = await response.text();
    if (response.ok) return body;
    throw new Error(`${Action}: ${firstText(body, 'Message') ?? body}`);
  };
}

/** Gives the default VPC of a region a way to the internet, as it has at AWS and not in moto. */
export async function openDefaultVpc(call: MotoCall, region: string): Promise<void> {
  const isDefault = { 'Filter.1.Name': 'is-default', 'Filter.1.Value.1': 'true' };
  const VpcId = firstText(await call(region, 'DescribeVpcs', isDefault), 'vpcId') ?? '';
  const gateway = await call(region, 'CreateInternetGateway');
  const InternetGatewayId = firstText(gateway, 'internetGatewayId') ?? '';
  await call(region, 'AttachInternetGateway', { InternetGatewayId, VpcId });
  const main = {
    ...{ 'Filter.1.Name': 'vpc-id', 'Filter.1.Value.1': VpcId },
    ...{ 'Filter.2.Name': 'association.main', 'Filter.2.Value.1': 'true' },
  };
  const [RouteTableId = ''] = allTexts(
    await call(region, 'DescribeRouteTables', main),
    'routeTableId',
  );
  const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', GatewayId: InternetGatewayId };
  await call(region, 'CreateRoute', route);
}

/** The zone of the subnet of an order; null = it names none. */
export async function zoneOfOrder(
  call: MotoCall,
  region: string,
  fields: Fields,
): Promise<string | null> {
  const zone = fields['Placement.AvailabilityZone'];
  if (zone !== undefined) return zone;
  const subnet = fields['NetworkInterface.1.SubnetId'] ?? fields.SubnetId;
  if (subnet === undefined) return null;
  return firstText(
    await call(region, 'DescribeSubnets', { 'SubnetId.1': subnet }),
    'availabilityZone',
  );
}
