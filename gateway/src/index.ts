export type { KnownCredentials } from './credentials.js';
export { startGateway } from './gateway.js';
export type { Gateway, GatewayOptions } from './gateway.js';
export type { Answer, Invocation } from './invoke.js';
export { gatewaySettings } from './settings.js';
export type { GatewaySettings } from './settings.js';
