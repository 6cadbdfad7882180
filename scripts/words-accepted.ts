/** The reviewed exceptions of the word check. */

/** By file: the name, or the phrase as it was found, and why it is right there. */
type Exceptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const ACCEPTED_NAMES: Exceptions = {
  'packages/backends/src/base/testing/backend-world.ts': {
    'BackendWorld.machines': 'machines in an account, which may have no instance',
    ProviderCalls: 'calls of the API below an adapter',
  },
  'packages/backends/src/catalog/catalog.ts': {
    'CatalogItem.provider': 'a column of the catalogue; several backends may have one provider',
    'CatalogItem.providerData': 'a column of the catalogue',
  },
  'packages/backends/src/example/rack.ts': {
    RackMachine: 'a machine of the example, with or without an instance',
  },
  'packages/backends/src/gcp/compute.ts': {
    'GcpInstance.machineType': 'a field of Google',
  },
  'packages/backends/src/sim/calls.ts': {
    'SimRandom.chance': 'a probability',
  },
  'packages/backends/src/sim/control.ts': {
    'SimControl.machines': 'machines of the simulated provider, which may have no instance',
  },
  'packages/backends/src/sim/groups.ts': {
    'SimGroupsOptions.endMachine': 'a machine of the simulated provider',
    machinesOf: 'machines of the simulated provider',
  },
  'packages/client/src/domains/session.ts': {
    ProviderRedirect: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/contract/src/api/requests-ours.ts': {
    OpenProviderSessionRequest: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/http/ports.ts': {
    'HttpDeps.providers': 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/http/sign-in/sign-in-state.ts': {
    'SignInStart.provider': 'a provider of sign-ins (OpenID Connect), not of machines',
    'SignInEnd.provider': 'a provider of sign-ins (OpenID Connect), not of machines',
    'WaitingClient.provider': 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/http/sign-in/account.ts': {
    'AccountRules.provider': 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/pages/sign-in/consent-page.tsx': {
    'ConsentPageProps.provider': 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/oidc/oidc-provider.ts': {
    OidcProviderOptions: 'a provider of sign-ins (OpenID Connect), not of machines',
    OidcProvider: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/oidc/oidc-settings.ts': {
    OidcProviderSettings: 'a provider of sign-ins (OpenID Connect), not of machines',
    'OidcSettings.providers': 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/server/src/oidc/sign-in-providers.ts': {
    SignInProvider: 'a provider of sign-ins (OpenID Connect), not of machines',
    SignInProviders: 'a provider of sign-ins (OpenID Connect), not of machines',
    ProviderError: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/data/session/provider-queries.ts': {
    signInProvidersQuery: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/data/session/provider-sign-in.ts': {
    goToProvider: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/data/session/session.ts': {
    providerFaultText: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/domain/users/sign-in-providers.ts': {
    providerTitle: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/web/src/pages/sign-in/provider-buttons.tsx': {
    ProviderButtons: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'e2e/web/oidc-provider.ts': {
    TestProvider: 'a provider of sign-ins (OpenID Connect), not of machines',
    signInAtProvider: 'a provider of sign-ins (OpenID Connect), not of machines',
  },
  'packages/backends/src/sim/provider.ts': {
    SimProvider: 'the simulated provider, not a backend',
    SimProviderOptions: 'the simulated provider, not a backend',
  },
  'packages/backends/src/sim/gateways.ts': {
    'SimGatewaysOptions.provider': 'the simulated provider of a cloud, not a backend',
  },
  'packages/backends/src/sim/sim.ts': {
    'SimOptions.provider': 'the simulated provider, not a backend',
  },
  'packages/backends/src/sim/tables.ts': {
    'SimAttachment.machine': 'a machine of the simulated provider',
    SimMachine: 'a machine of the simulated provider, which may have no instance',
    'SimTables.machines': 'machines of the simulated provider',
  },
  'packages/cli/src/commands/login/login.ts': {
    'LoginOptions.provider': 'a provider of log-ins (OAuth), not of machines',
  },
  'packages/core/src/model/observations.ts': {
    'InstanceObservation.machine': 'a key of observations that are stored as JSON',
  },
  'packages/contract/src/wire/server.ts': {
    OAuthProviderInfo: 'a provider of log-ins; the name is part of the API',
  },
  'packages/server/src/sweep/testing/sim-account.ts': {
    'SimAccount.provider': 'the simulated provider of a cloud, not a backend',
    'SimAccount.machines': 'machines at a provider, which no instance may know',
  },
  'packages/server/src/testing/simulation/sim-backends.ts': {
    'SimWorld.provider': 'the simulated provider, not a backend',
  },
  'packages/store/src/schema/db.ts': {
    'DB.provider_groups': 'the name of a table',
  },
  'packages/testkit/src/fake-machine.ts': {
    FakeMachine: 'devices and tools of a computer, without any instance',
  },
  'packages/testkit/src/random.ts': {
    'Random.chance': 'a probability',
  },
  'packages/web/src/app/commands/command-context.tsx': {
    CommandProvider: 'a component that provides a context, in the words of React',
  },
  'packages/web/src/app/palette/palette-context.tsx': {
    PaletteProvider: 'a component that provides a context, in the words of React',
  },
  'packages/web/src/data/live/live-context.tsx': {
    LiveProvider: 'a component that provides a context, in the words of React',
  },
  'packages/web/src/data/session/session-context.tsx': {
    SessionProvider: 'a component that provides a context, in the words of React',
  },
  'packages/web/src/ui/feedback/announcer.tsx': {
    AnnouncerProvider: 'a component that provides a context, in the words of React',
  },
  'packages/web/src/ui/toast/toaster.tsx': {},
};

export const ACCEPTED_PHRASES: Exceptions = {
  'e2e/official-client/flows/attach.ts': { 'last words': 'output of a test job' },
  'e2e/official-client/over-ssh.ts': { 'last words': 'output of a test job' },
  'packages/server/src/http/logs/logs.test.ts': { gone: 'output of a test job' },
};

/** Names that several packages export. */
export const ACCEPTED_DUPLICATES: Readonly<Record<string, string>> = {
  ApiError: 'the server throws it, and the client receives it as an answer',
  listRuns: 'the call of the client, and the operation of its endpoint',
};
