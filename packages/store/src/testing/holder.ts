/** Started as a separate process: opens the database given as argument and keeps it open. */
import { openStore } from '../open-store.ts';
import { storeOptions } from './store-options.ts';

const store = await openStore(storeOptions(process.argv[2] ?? ''));
await store.meta.set('held', 'yes');
process.stdout.write('open\n');
setInterval(() => {}, 60_000);
