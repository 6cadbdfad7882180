/**
 * A simulated provider in the same process: clients reach it by a `fetch` without connections, so that
 * nothing waits for anything but its clock.
 */
import { Random } from '../random.ts';
import { CloudAccount } from './account.ts';
import { parsedBody } from './bodies.ts';
import { CloudCalls } from './calls.ts';
import type { CloudClock } from './clock.ts';
import { type CloudFaults, NO_CLOUD_FAULTS } from './faults.ts';
import { type CloudLogEntry, cloudApi } from './front.ts';
import type { VmHosts } from './hosts.ts';
import { PERSONALITIES, type PersonalityName } from './personalities/index.ts';

export interface DirectCloudOptions {
  readonly personality: PersonalityName;
  readonly clock: CloudClock;
  readonly hosts: VmHosts | null;
  /** The seed of random faults and boot times. */
  readonly seed: number;
}

export interface DirectCloud {
  /** The root of its API. */
  readonly url: string;
  readonly apiKey: string;
  readonly account: CloudAccount;
  readonly calls: CloudCalls;
  /** All of them may be changed at any time. */
  readonly faults: { -readonly [Name in keyof CloudFaults]: CloudFaults[Name] };
  readonly log: readonly CloudLogEntry[];
  readonly fetch: typeof fetch;
}

export function directCloud(options: DirectCloudOptions): DirectCloud {
  const { clock, hosts, seed } = options;
  const personality = PERSONALITIES[options.personality];
  const faults = { ...NO_CLOUD_FAULTS };
  const common = { clock, random: new Random(seed), faults: () => faults };
  const { catalog, loginUser, ids, metadata } = personality;
  const account = new CloudAccount({ ...common, catalog, loginUser, hosts, ids, metadata });
  const calls = new CloudCalls(common);
  const apiKey = personality.newApiKey();
  const api = cloudApi({ personality, account, calls, apiKey, hasLimits: true });
  const url = `http://${options.personality}.test`;
  const direct = async (input: string | URL | Request, init: RequestInit = {}) => {
    const { pathname: path, searchParams: query } = new URL(String(input));
    const { method = 'GET', body = null } = init;
    const headers = Object.fromEntries(new Headers(init.headers));
    const sent = parsedBody(String(body ?? ''), headers['content-type']);
    const answer = await api.answer({ method, path, query, headers, body: sent }, url);
    if (answer === null) {
      throw new TypeError('fetch failed', { cause: new Error('the connection was cut off') });
    }
    const { status, text, headers: answered = {} } = answer;
    const json = answer.body === null ? null : JSON.stringify(answer.body);
    return new Response(text ?? json, {
      ...{ status, headers: answered },
    });
  };
  return { ...{ url, apiKey, account, calls, faults, log: api.log }, fetch: direct };
}
