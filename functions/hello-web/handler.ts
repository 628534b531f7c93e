/**
 * The same with the web's own types (lang: web): a Request comes in, a Response goes out, as in a browser's
 * service worker. TypeScript runs as it is; nothing to build.
 *
 *   curl -d '{"name": "Ada"}' http://127.0.0.1:8080/function/hello-web
 */
export default async function hello(request: Request): Promise<Response> {
  const name = nameIn(await request.text());
  // A 4xx is an answer: the queue takes it as final. A 429 or 5xx says "try me again", and the queue does.
  if (name === undefined) return Response.json({ error: 'send {"name": "…"}' }, { status: 400 });
  return Response.json({ greeting: `Hello, ${name}!` });
}

/** @returns undefined when the body is not `{"name": string}` */
function nameIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('name' in value)) return undefined;
    return typeof value.name === 'string' ? value.name : undefined;
  } catch {
    return undefined;
  }
}
