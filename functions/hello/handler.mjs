/**
 * The smallest function (lang: node). What arrives and what leaves are Node's own request and response:
 * everything you know from node:http holds, streaming included. An Express app is such a function, too.
 *
 *   curl http://127.0.0.1:8080/function/hello
 *   curl -i -d '' http://127.0.0.1:8080/async-function/hello       202 at once; the answer goes to X-Callback-Url, if given
 */
export default function hello(req, res) {
  // The call id is in every request and in the gateway's logs: print it, and one search finds a call's whole story.
  console.log(`saying hello, call ${req.headers['x-call-id'] ?? 'none'}`);
  res.setHeader('Content-Type', 'text/plain');
  res.end('hello\n');
}
