/** The public types of Lorua's messages and of the library behind its nodes. */
export * as admin from './admin';
export * as chirpstack from './chirpstack';
export * as commands from './commands';
export * from './messages';
export * from './model';
export * as opcua from './opcua';
export * as quality from './quality';
export * as simulator from './simulator';
export * as store from './store';
