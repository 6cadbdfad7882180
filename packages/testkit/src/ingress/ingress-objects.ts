/** Objects of the Kubernetes API that an Ingress controller reads, as far as it reads them. */

interface Metadata {
  readonly name: string;
  readonly namespace: string;
}

export interface Ingress {
  readonly metadata: Metadata;
  readonly spec: {
    readonly ingressClassName?: string;
    readonly defaultBackend?: IngressBackend;
    readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[];
    readonly rules?: readonly IngressRule[];
  };
}

export interface IngressRule {
  readonly host?: string;
  readonly http?: { readonly paths: readonly IngressPath[] };
}

export interface IngressPath {
  readonly path?: string;
  readonly pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  readonly backend: IngressBackend;
}

export interface IngressBackend {
  readonly service?: {
    readonly name: string;
    readonly port: { readonly name?: string; readonly number?: number };
  };
}

export interface Service {
  readonly metadata: Metadata;
  readonly spec: {
    readonly clusterIP?: string;
    readonly ports?: readonly { readonly name?: string; readonly port: number }[];
  };
}

export interface Secret {
  readonly metadata: Metadata;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface IngressObjects {
  readonly ingresses: readonly Ingress[];
  readonly services: readonly Service[];
  readonly secrets: readonly Secret[];
}
