/** Endpoints that dstack 0.22.5 does not know. */
import * as z from 'zod';
import { type ExplainKind, Explanation } from '../wire/explain.ts';
import { OrphanReport } from '../wire/orphan.ts';
import { CreatedServiceToken, ServiceToken } from '../wire/service-token.ts';
import { bare, call, get } from './endpoint.ts';
import * as req from './requests-ours.ts';

const tokens = '/api/project/{project_name}/service_tokens';

function explain<const K extends ExplainKind>(kind: K, summary: string) {
  const path = `/api/project/{project_name}/explain/${kind}/{name}`;
  return get(path, 'project_member', null, Explanation, summary);
}

export const ourEndpoints = {
  'service_tokens.list': bare(
    `${tokens}/list`,
    'project_admin',
    z.array(ServiceToken),
    'Tokens of programs, without the tokens themselves',
  ),
  'service_tokens.create': call(
    `${tokens}/create`,
    'project_admin',
    req.CreateServiceTokenRequest,
    CreatedServiceToken,
    'Make a token for a program; shown this once',
  ),
  'service_tokens.delete': call(
    `${tokens}/delete`,
    'project_admin',
    req.DeleteServiceTokensRequest,
    null,
    'Revoke tokens',
  ),
  'explain.runs': explain('runs', 'Why a run is where it is, and what changes that'),
  'explain.jobs': explain('jobs', 'The same of one job of a run'),
  'explain.instances': explain('instances', 'Why an instance is used, not used, or ends'),
  'explain.fleets': explain('fleets', 'Why a fleet has the instances it has'),
  'explain.services': explain('services', 'Why a service answers, or does not, replica by replica'),
  'explain.volumes': explain('volumes', 'Why a volume is as it is'),
  'explain.gateways': explain('gateways', 'Why a gateway is as it is'),
  'server.list_orphans': get(
    '/api/server/orphans',
    'global_admin',
    null,
    OrphanReport,
    "What carries this server's tag at a provider and is in none of its records",
  ),
} as const;
