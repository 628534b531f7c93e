export { parseDuration } from './duration.js';
export { SettingsError, duration, flag, httpUrl, integer, list, readSettings } from './settings.js';
