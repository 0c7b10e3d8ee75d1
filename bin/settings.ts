/**
 * The file that Node-RED reads as its settings. gateway.ts fills it before it starts Node-RED in the same process, so
 * that nothing has to be worked out a second time.
 */
const settings: Record<string, unknown> = {};

export = settings;
