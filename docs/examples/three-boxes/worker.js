'use strict';
const { query } = require('./database');

const box = process.env.AGENTBOX_BOX_NAME ?? 'no box';
const period = Number(process.env.PERIOD_MS ?? 1000);

async function beat() {
  const [[beats]] = await query(
    `INSERT INTO heartbeats (box, beats) VALUES (:'box', 1)
     ON CONFLICT (box) DO UPDATE SET beats = heartbeats.beats + 1
     RETURNING beats`,
    { box },
  );
  console.log(`heartbeat ${beats}`);
}

async function work() {
  for (;;) {
    // A failure ends the process: starting it again is the supervisor's work.
    await beat();
    await new Promise((resolve) => setTimeout(resolve, period));
  }
}

work().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
