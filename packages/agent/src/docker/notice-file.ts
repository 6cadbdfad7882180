/** Where a container has the notice that it must leave its host; empty while there is none. */
export const NOTICE_FILE = '/dstack/preemption';

/** Any user of the container may write there that the job is done. */
export const NOTICE_MODE = 0o666;
