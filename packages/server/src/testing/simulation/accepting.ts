/** Waits for a request; returns false if the API refuses it. Refusals have a status; everything else is a fault. */
export async function accepting(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (typeof (error as { readonly status?: unknown }).status === 'number') return false;
    throw error;
  }
}
