export { type Credentials, basicAuthHeader, readBasicAuth } from './credentials.js';
export { parseDuration } from './duration.js';
export { isLoopbackHost, listen } from './listen.js';
export { SettingsError, duration, flag, httpUrl, integer, list, readSettings } from './settings.js';
