/** Forms that ask for a backend: in the UI, and by `dstack backend add`. */

/** A field of a backend's form. */
export interface BackendField {
  /** Below `creds`, unless it begins with a dot. */
  readonly path: string;
  readonly label: string;
  readonly optional?: boolean;
  /** Not shown while it is typed. */
  readonly secret?: boolean;
  /** Rows of its text; omitted = a single line. */
  readonly lines?: number;
  readonly hint?: string;
}

export interface BackendForm {
  readonly label: string;
  /** `creds.type`; null: the backend has no credentials. */
  readonly creds: string | null;
  readonly fields: readonly BackendField[];
  /** The object to create at the provider first, and its page. */
  readonly before?: { readonly text: string; readonly url: string };
}

const API_KEY = [{ path: 'api_key', label: 'API key', secret: true }];
const REGIONS: BackendField = {
  path: '.regions',
  label: 'Regions',
  optional: true,
  hint: 'Separated by commas; all of them if empty.',
};
const byKey = (label: string, more: readonly BackendField[] = []): BackendForm => ({
  label,
  creds: 'api_key',
  fields: [...API_KEY, ...more],
});

const verda = (label: string): BackendForm => ({
  label,
  creds: 'api_key',
  fields: [
    { path: 'client_id', label: 'Client id' },
    { path: 'client_secret', label: 'Client secret', secret: true },
    REGIONS,
  ],
  before: {
    text: 'Create credentials of the cloud API in the project (Keys).',
    url: 'https://console.verda.com',
  },
});

const droplets = (label: string, url: string): BackendForm => ({
  ...byKey(label, [
    { path: '.project_name', label: 'Project', optional: true, hint: 'The default one if empty.' },
    REGIONS,
  ]),
  before: {
    text: 'Create a token with rights on droplets, SSH keys, tags, sizes, images and the account.',
    url,
  },
});

/** The backends that a few values describe; all others, and all options, are written as YAML. */
export const BACKEND_FORMS: Readonly<Record<string, BackendForm>> = {
  aws: {
    label: 'AWS',
    creds: 'access_key',
    fields: [
      { path: 'access_key', label: 'Access key' },
      { path: 'secret_key', label: 'Secret key', secret: true },
      { ...REGIONS, hint: 'Separated by commas; the eleven usual ones if empty.' },
    ],
    before: {
      text: 'Create a user with the policy of the documentation, and an access key.',
      url: 'https://console.aws.amazon.com/iam/home#/users',
    },
  },
  gcp: {
    label: 'GCP',
    creds: 'service_account',
    fields: [
      { path: '.project_id', label: 'Project id' },
      {
        path: 'data',
        label: 'Key of the service account',
        secret: true,
        lines: 6,
        hint: 'The contents of the JSON file.',
      },
      { ...REGIONS, hint: 'Separated by commas; 35 in all parts of the world if empty.' },
    ],
    before: {
      text: 'Create a service account with the role of the documentation, and a key in JSON.',
      url: 'https://console.cloud.google.com/iam-admin/serviceaccounts',
    },
  },
  azure: {
    label: 'Azure',
    creds: 'client',
    fields: [
      { path: '.tenant_id', label: 'Tenant id' },
      { path: '.subscription_id', label: 'Subscription id' },
      { path: 'client_id', label: 'Client id' },
      { path: 'client_secret', label: 'Client secret', secret: true },
      REGIONS,
    ],
  },
  kubernetes: {
    label: 'Kubernetes',
    creds: null,
    fields: [
      {
        path: '.kubeconfig.data',
        label: 'kubeconfig',
        secret: true,
        lines: 8,
        hint: 'The contents of the file.',
      },
    ],
  },
  lambda: {
    ...byKey('Lambda', [REGIONS]),
    before: {
      text: 'Create an API key; every key has all rights of the account.',
      url: 'https://cloud.lambda.ai/api-keys',
    },
  },
  runpod: {
    ...byKey('RunPod', [{ ...REGIONS, hint: 'Data centres, separated by commas; all if empty.' }]),
    before: {
      text: 'Create an API key that may read and write pods, network volumes and registries. The server needs a public URL.',
      url: 'https://console.runpod.io/user/settings',
    },
  },
  vastai: {
    ...byKey('Vast.ai', [
      {
        ...REGIONS,
        hint: 'Countries or places (us, de-bavaria), separated by commas; all if empty.',
      },
    ]),
    before: {
      text: 'Create an API key that may read and write instances and SSH keys. The server needs a public URL.',
      url: 'https://cloud.vast.ai/manage-keys/',
    },
  },
  vultr: {
    ...byKey('Vultr', [REGIONS]),
    before: {
      text: 'Enable the API, create a key, and let the address of the server use it (Access Control).',
      url: 'https://my.vultr.com/settings/#settingsapi',
    },
  },
  crusoe: {
    label: 'Crusoe',
    creds: 'access_key',
    fields: [
      { path: '.project_id', label: 'Project id' },
      { path: 'access_key', label: 'Access key' },
      { path: 'secret_key', label: 'Secret key', secret: true },
      REGIONS,
    ],
    before: {
      text: 'Create an API token of a user who may manage the machines of the project.',
      url: 'https://console.crusoecloud.com/security/tokens',
    },
  },
  verda: verda('Verda'),
  datacrunch: verda('DataCrunch'),
  cudo: byKey('CUDO', [{ path: '.project_id', label: 'Project id' }, REGIONS]),
  tensordock: byKey('TensorDock', [
    { path: 'api_token', label: 'API token', secret: true },
    REGIONS,
  ]),
  cloudrift: byKey('CloudRift', [REGIONS]),
  hotaisle: {
    ...byKey('Hot Aisle', [{ path: '.team_handle', label: 'Team handle' }, REGIONS]),
    before: {
      text: 'Create an API key with the role owner of the user, for SSH keys, and the role operator in the team.',
      url: 'https://admin.hotaisle.app/',
    },
  },
  digitalocean: droplets('DigitalOcean', 'https://cloud.digitalocean.com/account/api/tokens'),
  amddevcloud: droplets('AMD Developer Cloud', 'https://amd.digitalocean.com/account/api/tokens'),
  jarvislabs: byKey('JarvisLabs', [REGIONS]),
};

export const backendLabel = (type: string): string => BACKEND_FORMS[type]?.label ?? type;

/** The configuration as one would write it. */
export function backendConfiguration(
  type: string,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  const form = BACKEND_FORMS[type];
  const root: Record<string, unknown> = { type };
  if (form === undefined) return root;
  const creds: Record<string, unknown> = { type: form.creds };
  for (const { path } of form.fields) {
    const text = values[path]?.trim() ?? '';
    if (text === '') continue;
    const value = path === '.regions' ? text.split(/[\s,]+/).filter(Boolean) : text;
    if (path.startsWith('.')) place(root, path.slice(1).split('.'), value);
    else creds[path] = value;
  }
  return form.creds === null ? root : { ...root, creds };
}

function place(
  target: Record<string, unknown>,
  [first = '', ...rest]: readonly string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner: Record<string, unknown> = {};
  target[first] = inner;
  place(inner, rest, value);
}
