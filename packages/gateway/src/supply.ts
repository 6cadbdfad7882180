import type { GatewayCommand } from '@dstack/contract/agent';
import { type PushedRoute, PushedTable, type TokenMark } from '@dstack/proxy';
import { pushedRoute, pushedRoutes } from './pushed-route.ts';
import { type SentServices, type StoredState, withService } from './stored-state.ts';
import type { GatewayState } from './worker/gateway-state.ts';

export type SentSettings = Extract<GatewayCommand, { type: 'settings' }>;
type SentService = Extract<GatewayCommand, { type: 'service' }>;

/** The settings and services that the server has sent, which are kept on the disk as well. */
export class Supply {
  readonly #state: Pick<StoredState, 'read' | 'write'>;
  /** The services, by run, name and host. */
  readonly table = new PushedTable();
  #settings: SentSettings | null = null;
  #services: SentServices | null = null;

  constructor(state: Pick<StoredState, 'read' | 'write'>) {
    this.#state = state;
  }

  /** Null: the server has not sent any yet. */
  get settings(): SentSettings | null {
    return this.#settings;
  }

  /** The same. */
  get services(): SentServices | null {
    return this.#services;
  }

  /** The part of the settings that workers need. */
  get limits(): Partial<GatewayState> {
    if (this.#settings === null) return {};
    const { auth_age: authAge, https_port: httpsPort } = this.#settings.settings;
    return { authAge, httpsPort, tokenMarks: this.tokenMarks };
  }

  /** See `GatewaySettings`. */
  get tokenMarks(): readonly TokenMark[] {
    return this.#settings?.settings.token_marks ?? [];
  }

  /** Takes over what an earlier process has kept. */
  restore(): void {
    this.#services = this.#state.read('services');
    this.table.replace(pushedRoutes(this.#services?.services ?? []));
    const stored = this.#state.read('settings');
    if (stored) this.#settings = { type: 'settings', ...stored, issued: null };
  }

  setSettings(order: SentSettings): void {
    const { settings, certificates } = order;
    this.#settings = order;
    this.#state.write('settings', { settings, certificates: [...certificates] });
  }

  /** All services: others have left. Returns them in the form that workers take. */
  replaceServices(order: SentServices): PushedRoute[] {
    const routes = pushedRoutes(order.services);
    this.#services = order;
    this.table.replace(routes);
    this.#state.write('services', order);
    return routes;
  }

  /** One service was added, changed or removed. Returns it in the form that workers take. */
  putService(order: SentService): PushedRoute {
    const route = pushedRoute(order.run_id, order.service);
    if (this.#services) {
      this.#services = withService(this.#services, order);
      this.#state.write('services', this.#services);
    }
    this.table.put(route);
    return route;
  }
}
