import { crypto } from 'acme-client';

/**
 * A certificate with the proof for one name (RFC 8737), and its key. A file of its own, since a lazy import of a library in
 * CommonJS would not see its names in a bundle.
 */
export async function alpnCertificate(
  name: string,
  keyAuthorization: string,
): Promise<{ readonly key: Buffer; readonly cert: string }> {
  // The library reads nothing else of an authorization.
  const identifier = { identifier: { type: 'dns', value: name } };
  const [key, cert] = await crypto.createAlpnCertificate(
    identifier as Parameters<typeof crypto.createAlpnCertificate>[0],
    keyAuthorization,
  );
  return { key, cert: String(cert) };
}
