/** The border between a flow and the domain: messages, and what they say. Apart from the model, which depends on nothing. */
export * from './event-messages';
export * from './reading-messages';
