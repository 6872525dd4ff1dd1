// Leads requests to functions by their paths.
module.exports = (routes) => (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const answer = routes[pathname];
  response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer ? answer() : { error: 'not found' }) + '\n');
};
