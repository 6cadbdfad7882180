/**
 * The version of the API that this product implements: returned by `get_info`, sent by the client
 * as `X-API-VERSION`, and compared with the versions of clients.
 */
export const WIRE_VERSION = '0.22.5';
