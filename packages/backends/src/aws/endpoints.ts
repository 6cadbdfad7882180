/** Addresses of AWS's services. */
import { BackendError } from '../base/errors.ts';

export type AwsService = 'ec2' | 'sts' | 'iam' | 'servicequotas' | 'elasticloadbalancing';

export interface AwsEndpoint {
  readonly url: string;
  /** The region in the signature. */
  readonly scope: string;
  /** Version of the API, of services with forms. */
  readonly version: string;
  /** Prefix of the actions of services with JSON. */
  readonly target: string;
}

export interface AwsEndpoints {
  /** Throws `BackendError` for what is no name of a region. */
  of(service: AwsService, region: string): AwsEndpoint;
}

const VERSIONS: Readonly<Record<AwsService, string>> = {
  ...{ ec2: '2016-11-15', sts: '2011-06-15', iam: '2010-05-08', servicequotas: '' },
  elasticloadbalancing: '2015-12-01',
};
const TARGETS: Readonly<Record<AwsService, string>> = {
  ...{ ec2: '', sts: '', iam: '', servicequotas: 'ServiceQuotasV20190624' },
  elasticloadbalancing: '',
};

const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/;

/** By its form: which regions there are is AWS's to know. */
export function isRegion(name: string): boolean {
  return REGION.test(name);
}

/** `override`: one address for all services of all regions; null = those of AWS. */
export function awsEndpoints(override: string | null): AwsEndpoints {
  return {
    of: (service, region) => {
      // It becomes a part of the address: users name the regions of volumes, and may name no hosts.
      if (!isRegion(region)) {
        throw new BackendError(`AWS: ${JSON.stringify(region)} is no region of AWS`);
      }
      const isChina = region.startsWith('cn-');
      const domain = isChina ? 'amazonaws.com.cn' : 'amazonaws.com';
      // IAM is one service for all regions of a partition.
      const home = isChina ? 'cn-north-1' : region.startsWith('us-gov-') ? 'us-gov-west-1' : null;
      const scope = service === 'iam' ? (home ?? 'us-east-1') : region;
      const place = service === 'iam' && home === null ? '' : `.${scope}`;
      return {
        url: `${override ?? `https://${service}${place}.${domain}`}/`,
        scope,
        version: VERSIONS[service],
        target: TARGETS[service],
      };
    },
  };
}
