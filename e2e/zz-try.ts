import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Installation } from '/work/wt/sim/packages/testkit/src/index.ts';
import { setTimeout as delay } from 'node:timers/promises';
const agent = process.argv[2] ?? 'real';
const home = new Installation({ dstack: '/work/wt/sim/bin/dstack', env: { DSTACK_SIM: '1', DSTACK_LOCAL_PROJECTS: '', DSTACK_SERVER_LOG_LEVEL: 'info' } });
mkdirSync(home.serverDir, { recursive: true });
writeFileSync(join(home.serverDir, 'config.yml'), `projects:\n- name: main\n  backends:\n  - type: sim\n    as: aws\n    agent: ${agent}\n    boot_seconds: 2\n    watch: true\n    dir: ${home.home}/sim\n`);
home.onServerLine = (l) => console.log('   S', l.slice(0, 300));
try {
  await home.startServer();
  writeFileSync(join(home.home, 'f.dstack.yml'), 'type: fleet\nname: pool\nnodes: 0..2\nidle_duration: 5s\n');
  console.log(await home.ok('apply', '-f', 'f.dstack.yml', '-y'));
  writeFileSync(join(home.home, 't.dstack.yml'), 'type: task\nname: hello\ncommands: ["echo hi", "sleep 2", "echo bye $DSTACK_RUN_NAME"]\nenv: ["SIM_SECONDS=2"]\n');
  const t0 = Date.now();
  const watch = setInterval(async () => { const p = await home.dstack(['ps', '-v']); const f = await home.dstack(['fleet']); console.log(((Date.now()-t0)/1000).toFixed(1), p.stdout, f.stdout); }, 1500);
  const done = await home.dstack(['apply', '-f', 't.dstack.yml', '-y']);
  console.log('APPLY', done.code, done.stdout, done.stderr);
  console.log(await home.ok('logs', 'hello'));
  await delay(12000);
  clearInterval(watch);
  console.log(await home.ok('event'));
} finally { await home.dispose(); }
