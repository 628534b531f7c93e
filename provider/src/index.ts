export { functionStatus, parseFunctionSpec } from './deployment.js';
export type { FunctionStatus } from './deployment.js';
export { FunctionExists, FunctionNotFound, InvalidFunction, ProviderError, ProviderUnavailable } from './errors.js';
export { handlerAnnotation, langAnnotation, minReplicas, nameFault } from './function-rules.js';
export { functionKey } from './provider.js';
export type {
  Endpoint, FunctionEvent, FunctionRef, FunctionSpec, FunctionState, LogLine, LogQuery, Provider, ProviderInfo, Resources,
} from './provider.js';
export { readStack } from './stack/read-stack.js';
export { StackError } from './stack/yaml-source.js';
export { basicAuthCheck, basicAuthHeader, readBasicAuth, requireBasicAuth } from './basic-auth.js';
export type { Credentials } from './basic-auth.js';
export { browserGuard, browserRefusal } from './browser-guard.js';
export { deployAll } from './deploy-all.js';
export { answerError } from './http-answer.js';
export type { Middleware } from './http-answer.js';
export { listNamespaces } from './namespaces.js';
export { createRemoteProvider } from './remote/remote-provider.js';
export type { RemoteProviderOptions } from './remote/remote-provider.js';
export { createProviderServer } from './server/provider-server.js';
export type { ProviderServer, ProviderServerOptions } from './server/provider-server.js';
export { providerSettings } from './settings.js';
export type { ProviderSettings } from './settings.js';
