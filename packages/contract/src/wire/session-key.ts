/**
 * A request with the session's cookie is accepted only with the session's key in this header: cookies
 * do not respect ports, while pages of other origins can neither read the key nor send the header.
 */
export const SESSION_KEY_HEADER = 'x-dstack-session';
