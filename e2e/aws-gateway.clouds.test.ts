/**
 * A machine of AWS that boots as a gateway: moto has the account, hosts of the yard are the machines. They boot twice,
 * so only `scripts/test --clouds` waits for it.
 */
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_REGION, type AwsAccountAtWork, motoForClouds, newAwsAccount } from './aws-account.ts';
import { type CloudYard, missingForClouds, startCloudYard } from './cloud-account.ts';
import { onFleet } from './hosts.ts';
import { configuration, isFinished, isRunning, untilRun } from './installation.ts';
import { gatewayAddress, showGateway } from './kubernetes-gateway.ts';
import { applyCloudFleet, leftOver } from './sim-cloud.ts';
import { until, waitFor } from './until.ts';

const missing = missingForClouds();
const moto = missing === null ? motoForClouds() : null;

const GATEWAY = `type: gateway
name: edge
backend: aws
region: ${AWS_REGION}
domain: '*.apps.test'
certificate: null
`;

describe.skipIf(moto === null)('a gateway on a machine of AWS', { timeout: 180_000 }, () => {
  let hosts: CloudYard;
  let world: AwsAccountAtWork;
  beforeAll(async () => {
    hosts = await startCloudYard();
    world = await newAwsAccount(moto ?? '', hosts);
    await world.home.startServer();
    await applyCloudFleet(world.home, ['nodes: 0..1', 'backends: [aws]', 'idle_duration: 3s']);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
  });

  /** The elastic addresses of the account, each with the machine that has it. */
  const addresses = async () => {
    const answer = await world.aws.ask(AWS_REGION, 'DescribeAddresses');
    const part = (item: string, name: string) =>
      new RegExp(`<${name}>([^<]*)</${name}>`).exec(item)?.[1] ?? null;
    return answer
      .split('<item>')
      .filter((item) => item.includes('<publicIp>'))
      .map((item) => ({ ip: part(item, 'publicIp'), machine: part(item, 'instanceId') }));
  };
  /** What clients get, or why they get nothing. */
  const answer = async () => {
    const address = await gatewayAddress(world.home, 'edge');
    if (address === '') return JSON.stringify(await showGateway(world.home, 'edge'));
    return await page(address, 'hello.apps.test').catch(String);
  };
  const untilServed = () =>
    waitFor(
      answer,
      (text) => text === 'hello from EC2\n',
      (text) => text,
    );

  it('serves requests, keeps its address when its machine is lost and its server killed while it makes another one, and leaves nothing', async () => {
    const { home, aws } = world;
    await home.ok('apply', '-f', configuration(home, 'edge.dstack.yml', GATEWAY), '-y');
    expect((await showGateway(home, 'edge')).status).toBe('running');
    const [machine = ''] = aws.vms();
    const [before, ...others] = await addresses();
    expect(others).toEqual([]);
    expect(before?.machine).toBe(machine);
    expect(await hosts.yard.exec(machine, 'pgrep -c nginx')).not.toBe('0');

    const commands = ['mkdir /w', 'echo hello from EC2 > /w/index.html', 'httpd -f -p 8000 -h /w'];
    const service = `type: service\nname: hello\nport: 8000\nauth: false\nhttps: false\ncommands: ${JSON.stringify(commands)}\n`;
    const yaml = `${service}resources:\n  gpu: 0\n${onFleet('pool', hosts.image)}`;
    await home.ok('apply', '-f', configuration(home, 'hello.dstack.yml', yaml), '-y', '-d');
    await untilRun(home, 'hello', isRunning);
    await untilServed();

    await aws.vanish(machine);
    const started = () => aws.history().filter((event) => event.startsWith('+'));
    const count = started().length;
    await until(() => started().length > count);
    await home.stopServer('SIGKILL');
    await home.startServer();
    await untilServed();
    const after = await addresses();
    expect(after.map(({ ip }) => ip)).toEqual([before?.ip]);
    expect(aws.vms()).toContain(after[0]?.machine);

    await home.ok('stop', 'hello', '-y');
    await untilRun(home, 'hello', isFinished);
    await home.ok('gateway', 'delete', 'edge', '-y');
    await until(async () => aws.vms().length === 0 && (await addresses()).length === 0);
    expect(leftOver(aws.history())).toEqual([]);
  });
});

async function page(address: string, host: string): Promise<string> {
  const asked = request({ host: address, port: 80, headers: { host } }).end();
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.on('response', resolve).on('error', reject);
  });
  return await text(answer);
}
