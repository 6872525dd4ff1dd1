'use strict';
const http = require('node:http');
const { query } = require('./database');

const box = process.env.AGENTBOX_BOX_NAME ?? 'no box';
const port = Number(process.env.PORT ?? 3000);

function escape(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

async function page() {
  const products = await query('SELECT name, cents FROM products ORDER BY name');
  const [beats] = await query("SELECT beats FROM heartbeats WHERE box = :'box'", { box });
  const rows = products
    .map(([name, cents]) => `<tr><td>${escape(name)}</td><td>${(cents / 100).toFixed(2)}</td></tr>`)
    .join('\n');
  return `<!doctype html>
<title>${escape(box)}</title>
<h1>The shop in ${escape(box)}</h1>
<table>
${rows}
</table>
<p>The worker has written ${beats?.[0] ?? 0} heartbeats to this database.</p>
`;
}

async function answer(request, response) {
  try {
    if (request.url === '/health') {
      await query('SELECT 1');
      response.end('ok\n');
    } else if (request.url === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(await page());
    } else {
      response.writeHead(404).end('not found\n');
    }
  } catch (error) {
    console.error(error.message);
    response.writeHead(503).end('the database does not answer\n');
  }
}

const server = http.createServer(answer);
server.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
