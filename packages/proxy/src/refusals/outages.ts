import { upstreamFailure } from '../replicas/upstream-failure.ts';
import {
  noAnswer,
  type ProxyRefusal,
  type ServiceName,
  serviceNotFound,
  type Unavailable,
  unavailable,
} from './refusal.ts';

/** A service, finished or not. */
export interface ServiceOutage extends ServiceName {
  /** Whether callers must be members of the project. */
  readonly auth: boolean;
  /** Why it has no replica that accepts requests; null = it has one. */
  readonly why: Unavailable | null;
}

/** Null: there is no such service, or it is served elsewhere. May throw a `ProxyRefusal` of its own. */
export type ReadOutage = (project: string, run: string) => Promise<ServiceOutage | null>;

/** A replica that accepts requests now has only just become ready. */
const STARTING: Unavailable = {
  cause: 'starting',
  ...{ text: 'starting: its app is not ready yet', memberText: null, retryAfter: 5 },
};

/** Finds out why a service does not answer, at that moment. */
export class Outages {
  readonly #readOutage: ReadOutage;
  readonly #reading = new Map<string, ReturnType<ReadOutage>>();

  constructor(readOutage: ReadOutage) {
    this.#readOutage = readOutage;
  }

  /** Null: there is no such service. */
  async find(
    project: string,
    run: string,
  ): Promise<(ServiceName & { readonly auth: boolean }) | null> {
    return await this.#read(project, run);
  }

  /** The service had no replica that takes requests. */
  async noReplica(service: ServiceName, forMembers: boolean): Promise<ProxyRefusal> {
    const outage = await this.#read(service.projectName, service.runName);
    if (outage === null) return serviceNotFound(service);
    return unavailable(service, outage.why ?? STARTING, forMembers);
  }

  /** The service has no replica because there is no place for one. */
  async lacksCapacity({ projectName, runName }: ServiceName): Promise<boolean> {
    // Without the database the reason is unknown: the request continues to wait.
    const outage = await this.#read(projectName, runName).catch(() => null);
    return outage?.why?.cause === 'no_capacity';
  }

  /** A replica did not answer. It may have exited: then its exit is the cause. */
  async failed(service: ServiceName, error: Error, forMembers: boolean): Promise<ProxyRefusal> {
    const failure = noAnswer(service, upstreamFailure(error), error);
    // Without the database only the error itself is known.
    const outage = await this.#read(service.projectName, service.runName).catch(() => null);
    return outage?.why ? unavailable(service, outage.why, forMembers) : failure;
  }

  /** Concurrent requests share one read, as any caller can cause them. */
  #read(project: string, run: string): ReturnType<ReadOutage> {
    const key = `${project}/${run}`;
    const known = this.#reading.get(key);
    if (known) return known;
    const reading = this.#readOutage(project, run).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }
}
