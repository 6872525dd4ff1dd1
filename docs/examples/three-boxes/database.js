// Queries through the `psql` program: an example that fetches no packages has no driver.
'use strict';
const { execFile } = require('node:child_process');

// Runs one statement, its :'name' variables quoted by psql, and gives the rows as arrays of text.
function query(statement, variables = {}) {
  const settings = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  return new Promise((resolve, reject) => {
    const psql = execFile(
      'psql',
      ['-X', '-q', '-t', '-A', '-F', '\t', '-v', 'ON_ERROR_STOP=1', ...settings],
      (error, stdout, stderr) => {
        if (error) reject(new Error(stderr.trim() || error.message));
        else resolve(stdout.split('\n').filter(Boolean).map((line) => line.split('\t')));
      },
    );
    psql.stdin.end(statement);
  });
}

module.exports = { query };
