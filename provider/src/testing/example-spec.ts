/** A specification that deploys anywhere nothing has to run. For tests. */
import type { FunctionRef, FunctionSpec } from '../provider.js';

export function exampleSpec({ name, namespace }: FunctionRef): FunctionSpec {
  return {
    name, namespace, image: `postern/${name}:latest`, envProcess: '', envVars: {}, constraints: [], secrets: [],
    labels: {}, annotations: {}, limits: {}, requests: {}, readOnlyRootFilesystem: false,
  };
}
