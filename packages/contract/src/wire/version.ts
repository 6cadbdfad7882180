/**
 * The version of the wire contract this product speaks: what `get_info` reports, what the client
 * sends as `X-API-VERSION`, and what client versions are compared with.
 */
export const WIRE_VERSION = '0.22.5';
