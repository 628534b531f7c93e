/** Answers what it was sent. */
export default async (request) => new Response(await request.text(), { headers: { 'content-type': 'application/json' } });
