/** `dstack gateway certificate`: certificates that a person has, and requests to an authority. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Gateway } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { orNotFound } from '../../resource-error.ts';
import { withSpinner } from '../../terminal/live.ts';

export interface CertificateSetOptions extends OutputOptions {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
}

export interface CertificateDeleteOptions extends OutputOptions {
  readonly name: string;
  /** Null: all that were set. */
  readonly domain: string | null;
  readonly yes: boolean;
}

/** Prints a gateway as `dstack gateway get` does. */
export type ShowGateway = (gateway: Gateway, options: OutputOptions, cli: Cli) => Promise<void>;

export function declareGatewayCertificate(
  gateway: Command,
  cli: Cli,
  show: ShowGateway,
  run = { set: runCertificateSet, delete: runCertificateDelete, renew: runCertificateRenew },
): void {
  const certificate = gateway
    .command('certificate')
    .description('Set and delete certificates of your own, and request others again');
  addOutputOptions(certificate.command('set').description('Set a certificate, or replace it'))
    .argument('<name>', 'the gateway')
    .requiredOption('--cert <file>', 'PEM file with the certificate and its chain')
    .requiredOption('--key <file>', 'PEM file with the private key, without a password')
    .action((name, o, self: Command) =>
      run.set(
        { name, cert: o.cert, key: o.key, ...outputOptions(self.optsWithGlobals()) },
        cli,
        show,
      ),
    );
  addOutputOptions(certificate.command('delete').description('Delete certificates that were set'))
    .argument('<name>', 'the gateway')
    .argument('[domain]', 'only that of this name, such as *.apps.example.com')
    .option('-y, --yes', 'do not ask')
    .action((name, domain, o, self: Command) =>
      run.delete(
        {
          ...{ name, domain: domain ?? null, yes: o.yes ?? false },
          ...outputOptions(self.optsWithGlobals()),
        },
        cli,
        show,
      ),
    );
  certificate
    .command('renew')
    .description(
      'Request certificates that have failed again at once, as after a repair of the hook',
    )
    .argument('<name>', 'the gateway')
    .argument('[domain]', 'only that of this name')
    .action((name, domain) => run.renew({ name, domain: domain ?? null }, cli));
}

export async function runCertificateRenew(
  { name, domain }: { readonly name: string; readonly domain: string | null },
  cli: Cli,
): Promise<void> {
  const { project } = await cli.connect();
  const { domains, unanswered } = await orNotFound(`Gateway ${name}`, 'dstack gateway list', () =>
    project.gateways.renewCertificates(name, domain),
  );
  for (const replica of unanswered) cli.io.warn(`Replica ${replica} of ${name} does not answer`);
  const next = `dstack gateway get ${name}`;
  if (domains.length > 0) {
    cli.io.info(`Requested again: ${domains.join(', ')}. To see the result: ${next}`);
  } else if (unanswered.length > 0) {
    throw new CliError(`No certificate of gateway ${name} was requested`, { next });
  } else {
    cli.io.info(`No certificate${domain === null ? '' : ` for ${domain}`} has failed`);
  }
}

export async function runCertificateSet(
  options: CertificateSetOptions,
  cli: Cli,
  show: ShowGateway,
): Promise<void> {
  const { name } = options;
  const certificate = await readPem(options.cert, 'the certificate', cli);
  const key = await readPem(options.key, 'the private key', cli);
  const { project } = await cli.connect();
  const gateway = await withSpinner(cli.io, 'Setting certificate...', () =>
    orNotFound(`Gateway ${name}`, 'dstack gateway list', () =>
      project.gateways.setCertificate(name, { certificate, key }),
    ),
  );
  cli.io.info(`The certificate of gateway ${name} was set`);
  await show(gateway, options, cli);
}

export async function runCertificateDelete(
  options: CertificateDeleteOptions,
  cli: Cli,
  show: ShowGateway,
): Promise<void> {
  const { name, domain, yes } = options;
  const { project } = await cli.connect();
  const what = domain === null ? 'all certificates that were set' : `the certificate for ${domain}`;
  if (!yes && !(await cli.prompt.confirm(`Delete ${what} at the gateway ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  const gateway = await withSpinner(cli.io, 'Deleting certificate...', () =>
    orNotFound(
      `Certificate ${domain ?? ''} of gateway ${name}`.replace('  ', ' '),
      `dstack gateway get ${name}`,
      () => project.gateways.deleteCertificate(name, domain),
    ),
  );
  await show(gateway, options, cli);
}

/** Longer files are no certificates; the server accepts less. */
const MAX_BYTES = 1024 * 1024;

async function readPem(path: string, what: string, cli: Cli): Promise<string> {
  const next = `pass the PEM file with ${what}`;
  try {
    const bytes = await readFile(resolve(cli.cwd, path));
    if (bytes.length <= MAX_BYTES) return bytes.toString('utf8');
  } catch (error) {
    const why = (error as Error).message;
    throw new CliError(`${path} cannot be read`, { why, next, cause: error });
  }
  throw new CliError(`${path} is larger than ${MAX_BYTES} bytes`, { next });
}
