import { afterEach, describe, expect, it } from 'vitest';
import { type Ec2Metadata, ec2MetadataMissing, startEc2Metadata } from './ec2-metadata.ts';

const missing = ec2MetadataMissing();
if (missing && process.env.CI) throw new Error(`EC2's metadata are not tested: no ${missing}`);
if (missing) console.warn(`EC2's metadata are NOT tested: ${missing} is missing`);

describe.skipIf(missing !== null)('the metadata of an EC2 machine', () => {
  let service: Ec2Metadata | null = null;
  afterEach(async () => {
    await service?.close();
    service = null;
  });

  async function action(token: string | null) {
    const headers: Record<string, string> = token ? { 'x-aws-ec2-metadata-token': token } : {};
    const response = await fetch(`${service?.url}/latest/meta-data/spot/instance-action`, {
      headers,
    });
    return { status: response.status, text: await response.text() };
  }

  async function newToken(): Promise<string> {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
    const path = '/latest/api/token';
    return await (await fetch(`${service?.url}${path}`, { method: 'PUT', headers })).text();
  }

  it('have no notice before its time', async () => {
    service = await startEc2Metadata({ noticeSeconds: 3600 });
    expect((await action(await newToken())).status).toBe(404);
  });

  it('announce the end of a spot machine to requests with a token', async () => {
    service = await startEc2Metadata({ noticeSeconds: 0 });
    expect((await action(null)).status).toBe(401);
    const { status, text } = await action(await newToken());
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({
      action: 'terminate',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });
});
