'use strict';
/**
 * A function as OpenFaaS's node22 template has it, unchanged (lang: node22, CommonJS): one you already have
 * runs here as it is.
 *
 *   curl -d '{"a": 2, "b": 40}' -H 'Content-Type: application/json' http://127.0.0.1:8080/function/event-context
 */
module.exports = async (event, context) => {
  // application/json arrives parsed, text/* as a string, anything else as a Buffer.
  const { a, b } = event.body ?? {};
  if (typeof a !== 'number' || typeof b !== 'number') {
    return context.status(400).succeed({ error: 'send {"a": number, "b": number} as application/json' });
  }
  return context.status(200).headers({ 'X-Operation': 'sum' }).succeed({ sum: a + b });
};
