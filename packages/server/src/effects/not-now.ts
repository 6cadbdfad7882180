/** The effect cannot be carried out now. It is tried again later, or when a signal arrives. */
export class NotNow extends Error {
  override name = 'NotNow';
}
