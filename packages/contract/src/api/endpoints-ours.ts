/** Endpoints that dstack 0.22.5 does not know. */
import * as z from 'zod';
import { CreatedServiceToken, ServiceToken } from '../wire/service-token.ts';
import { bare, call } from './endpoint.ts';
import * as req from './requests-ours.ts';

const tokens = '/api/project/{project_name}/service_tokens';

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
} as const;
