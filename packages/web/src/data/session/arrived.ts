/**
 * The query of the address at which the page was opened, as it was: the router reads numbers and booleans
 * from queries, and codes of providers must stay text.
 */
export const ARRIVED: URLSearchParams = new URLSearchParams(window.location.search);
