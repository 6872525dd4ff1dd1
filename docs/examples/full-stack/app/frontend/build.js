// Makes dist/ of src/.
const fs = require('fs');
const template = require('template');

const page = fs.readFileSync('src/index.html', 'utf8');
fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/index.html', template(page, { title: 'Full stack', built: new Date().toISOString() }));
console.log('built dist/index.html');
