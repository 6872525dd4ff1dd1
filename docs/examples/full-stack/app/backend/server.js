// Counts visits in the file that DATABASE_URL names.
const http = require('http');
const fs = require('fs');
const router = require('router');

const port = Number(process.env.PORT ?? 4000);
const database = (process.env.DATABASE_URL ?? 'sqlite:////tmp/data.db').replace(/^sqlite:\/\//, '');
const visits = () => {
  const before = fs.existsSync(database) ? Number(fs.readFileSync(database, 'utf8')) : 0;
  fs.writeFileSync(database, String(before + 1));
  return before + 1;
};

http
  .createServer(router({ '/': () => ({ service: 'backend', visits: visits() }) }))
  .listen(port, () => console.log(`backend on port ${port}, data in ${database}`));
