#!/usr/bin/env node
// serve DIRECTORY [-l PORT]: the part of npm's `serve` that the example needs.
const http = require('http');
const fs = require('fs');
const path = require('path');

const words = process.argv.slice(2);
const listen = words.indexOf('-l');
const port = listen < 0 ? 3000 : Number(words.splice(listen, 2)[1]);
const root = path.resolve(words[0] ?? '.');
const kinds = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

http
  .createServer((request, response) => {
    const asked = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const file = path.join(root, path.normalize(asked).endsWith('/') ? asked + 'index.html' : asked);
    fs.readFile(file, (error, content) => {
      if (error) {
        response.writeHead(404).end('not found\n');
      } else {
        response.writeHead(200, { 'content-type': kinds[path.extname(file)] ?? 'application/octet-stream' });
        response.end(content);
      }
    });
  })
  .listen(port, () => console.log(`serving ${root} on port ${port}`));
